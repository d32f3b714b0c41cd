import { encodeFields, type FieldPairs, frame, TYPE } from "../../test/support/h2-upstream.ts";
import type { TlsClient } from "../../test/support/tls-client.ts";
import { type MixedEdge, NAME } from "./edge.ts";
import { openTls, PATIENCE_MS } from "./http1.ts";
import { checkPattern } from "./pattern.ts";

const END_STREAM = 1;
const END_HEADERS = 4;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A client of one stream, frame by frame. It acknowledges SETTINGS, and gives no credit of its own accord. */
export interface RawH2 extends Disposable {
  readonly tls: TlsClient;
  get(path: string): Promise<void>;
  post(path: string): Promise<void>;
  /** DATA, in frames of at most 16 KiB. */
  send(bytes: Uint8Array, isEnd: boolean): Promise<void>;
  /** More credit, of the stream and of the connection. */
  credit(bytes: number): Promise<void>;
  /** So many bytes of the body, which must be the pattern. */
  take(length: number): Promise<void>;
  /** The rest of the body. */
  body(): Promise<Buffer>;
  /** The next frame of this type; others are dropped. */
  next(type: number): Promise<Buffer>;
}

function increment(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return payload;
}

function fieldsOf(method: string, path: string): FieldPairs {
  return [
    [":method", method],
    [":scheme", "https"],
    [":path", path],
    [":authority", NAME],
  ];
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

async function readFrame({ raw }: TlsClient): Promise<Frame> {
  const head = Buffer.from(await raw.peer.take(9, PATIENCE_MS));
  const payload = Buffer.from(await raw.peer.take(head.readUIntBE(0, 3), PATIENCE_MS));
  const [type = 0, flags = 0] = head.subarray(3, 5);
  if (type === TYPE.settings && flags === 0) await raw.send(frame(TYPE.settings, 1, 0));
  return { type, flags, payload };
}

/** Frames but those that a client of one stream must not expect. */
async function readBody(tls: TlsClient): Promise<Frame> {
  for (;;) {
    const one = await readFrame(tls);
    if (one.type === TYPE.data) return one;
    if (one.type === TYPE.reset || one.type === TYPE.goaway)
      throw new Error(`a frame of type ${one.type} came: ${one.payload.toString("hex")}`);
  }
}

/** Connects and sends the preface. */
export async function openRawH2(edge: MixedEdge): Promise<RawH2> {
  const tls = await openTls(edge, { alpn: ["h2"] });
  const check = checkPattern();
  const ask = (method: string, path: string, flags: number) =>
    tls.raw.send(frame(TYPE.headers, END_HEADERS | flags, 1, encodeFields(fieldsOf(method, path))));
  await tls.raw.send(Buffer.concat([Buffer.from(PREFACE), frame(TYPE.settings, 0, 0)]));
  return {
    tls,
    get: (path) => ask("GET", path, END_STREAM),
    post: (path) => ask("POST", path, 0),
    send: (bytes, isEnd) => tls.raw.send(frame(TYPE.data, isEnd ? END_STREAM : 0, 1, bytes)),
    async credit(bytes) {
      for (const id of [0, 1]) await tls.raw.send(frame(TYPE.window, 0, id, increment(bytes)));
    },
    async take(length) {
      for (const end = check.length + length; check.length < end; ) check.add((await readBody(tls)).payload);
    },
    async body() {
      const pieces: Buffer[] = [];
      for (let isEnd = false; !isEnd; ) {
        const { payload, flags } = await readBody(tls);
        pieces.push(payload);
        isEnd = (flags & END_STREAM) !== 0;
      }
      return Buffer.concat(pieces);
    },
    async next(type) {
      for (;;) {
        const one = await readFrame(tls);
        if (one.type === type) return one.payload;
      }
    },
    [Symbol.dispose]: () => tls[Symbol.dispose](),
  };
}
