import { HpackDecoder } from "../../../src/wire/h2/hpack-decoder.ts";
import { encodeFields, type FieldPairs, frame, type H2Frame, TYPE } from "../../support/h2-upstream.ts";
import { Peer, PeerError, peerHandlers } from "../../support/peer.ts";

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const CONTINUATION = 9;

export const FLAG = { end_stream: 1, ack: 1, end_headers: 4, padded: 8, priority: 32 } as const;
export const CODE = {
  no_error: 0,
  protocol: 1,
  internal: 2,
  flow_control: 3,
  stream_closed: 5,
  frame_size: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => void bytes.writeUInt32BE(value, i * 4));
  return bytes;
}

/** The fields of a request to gw.test; those given come behind the pseudo-header fields. */
export function request(path = "/", fields: FieldPairs = [], method = "GET"): FieldPairs {
  return [[":method", method], [":scheme", "http"], [":path", path], [":authority", "gw.test"], ...fields];
}

export function headersFrame(streamId: number, fields: FieldPairs, isEnd = true): Buffer {
  return frame(TYPE.headers, FLAG.end_headers | (isEnd ? FLAG.end_stream : 0), streamId, encodeFields(fields));
}

export function settingsFrame(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), uint32(value)]));
  return frame(TYPE.settings, 0, 0, Buffer.concat(payload));
}

/** A response as it stands on a stream. */
export interface H2Response {
  readonly status: number;
  /** Fields of the final head; values of equal names joined by `, `. */
  readonly fields: Readonly<Record<string, string>>;
  /** Fields of each interim head. */
  readonly interim: readonly Readonly<Record<string, string>>[];
  readonly trailers: Readonly<Record<string, string>> | null;
  readonly body: Buffer;
  readonly isEnded: boolean;
  /** Code of the RST_STREAM that came, or null. */
  readonly reset: number | null;
}

class StreamRecord {
  heads: Record<string, string>[] = [];
  trailers: Record<string, string> | null = null;
  readonly body: Buffer[] = [];
  bodyBytes = 0;
  isEnded = false;
  reset: number | null = null;
}

export interface FrameClientSetup {
  /** Pairs of the client's SETTINGS. */
  readonly settings?: readonly (readonly [id: number, value: number])[];
  /** Gives back what DATA took, connection and stream. True unless given. */
  readonly opensWindows?: boolean;
  /** Sends neither preface nor SETTINGS. */
  readonly isSilent?: boolean;
  /** Counts DATA without keeping it. */
  readonly discardsData?: boolean;
}

/** An HTTP/2 client that sends exactly the frames that it is told. It answers SETTINGS and PING, and counts windows. */
export class FrameClient implements Disposable {
  readonly peer: Peer;
  /** All frames that came, in order, but for DATA when it is discarded. */
  readonly frames: H2Frame[] = [];
  /** Sum of WINDOW_UPDATEs by stream; 0 is the connection. */
  readonly windows = new Map<number, number>();
  goAway: { readonly last: number; readonly code: number; readonly text: string } | null = null;
  goAways = 0;
  acks = 0;
  answersPings = true;
  readonly #setup: FrameClientSetup;
  readonly #streams = new Map<number, StreamRecord>();
  #fields: [string, string][] = [];
  readonly #block: Buffer[] = [];
  readonly #decoder = new HpackDecoder({
    sink: { field: (name, value) => void this.#fields.push([name, value]) },
    maxTableBytes: 4096,
    maxListBytes: 1 << 20,
  });

  constructor(peer: Peer, setup: FrameClientSetup) {
    this.peer = peer;
    this.#setup = setup;
  }

  send(...parts: readonly (Uint8Array | string)[]): Promise<void> {
    return this.peer.send(Buffer.concat(parts.map((part) => Buffer.from(part as string, "latin1"))));
  }

  headers(streamId: number, fields: FieldPairs = request(), isEnd = true): Promise<void> {
    return this.send(headersFrame(streamId, fields, isEnd));
  }

  data(streamId: number, data: string | Uint8Array, isEnd = false): Promise<void> {
    return this.send(frame(TYPE.data, isEnd ? FLAG.end_stream : 0, streamId, Buffer.from(data as string, "latin1")));
  }

  window(streamId: number, bytes: number): Promise<void> {
    return this.send(frame(TYPE.window, 0, streamId, uint32(bytes)));
  }

  reset(streamId: number, code: number = CODE.cancel): Promise<void> {
    return this.send(frame(TYPE.reset, 0, streamId, uint32(code)));
  }

  /** What has come on a stream so far. */
  stream(streamId: number): H2Response {
    this.#read();
    const record = this.#streams.get(streamId) ?? new StreamRecord();
    const final = record.heads.find((head) => Number(head[":status"]) >= 200);
    return {
      status: Number(final?.[":status"] ?? 0),
      fields: final ?? {},
      interim: record.heads.filter((head) => Number(head[":status"]) < 200),
      trailers: record.trailers,
      body: Buffer.concat(record.body),
      isEnded: record.isEnded,
      reset: record.reset,
    };
  }

  /** Bytes of a stream's DATA so far. */
  received(streamId: number): number {
    this.#read();
    return this.#streams.get(streamId)?.bodyBytes ?? 0;
  }

  /** The whole response; rejects when it is reset or does not come. */
  async response(streamId: number, timeoutMs?: number): Promise<H2Response> {
    await this.until(() => this.#isOver(streamId), `the response on stream ${streamId}`, timeoutMs);
    const found = this.stream(streamId);
    if (!found.isEnded) throw new PeerError(`stream ${streamId} was reset with ${found.reset}`);
    return found;
  }

  /** The code with which a stream is reset. */
  async resetOf(streamId: number, timeoutMs?: number): Promise<number> {
    await this.until(() => this.stream(streamId).reset !== null, `a reset of stream ${streamId}`, timeoutMs);
    return this.stream(streamId).reset ?? -1;
  }

  /** The code of the GOAWAY behind which the connection ends. */
  async failure(timeoutMs?: number): Promise<number> {
    await this.until(() => this.goAway !== null && this.peer.state !== "open", "GOAWAY and the end", timeoutMs);
    return this.goAway?.code ?? -1;
  }

  /** Waits until the server has read all that was sent before. */
  async settled(timeoutMs?: number): Promise<void> {
    const before = this.#pongs;
    await this.send(frame(TYPE.ping, 0, 0, Buffer.from("settled?")));
    await this.until(() => this.#pongs > before, "the answer to a PING", timeoutMs);
  }
  #pongs = 0;

  async until(isMet: () => boolean, what: string, timeoutMs?: number): Promise<void> {
    const read = () => {
      this.#read();
      return isMet();
    };
    await this.peer.until(read, what, timeoutMs);
  }

  [Symbol.dispose](): void {
    if (!this.peer.isGone) this.peer.reset();
  }

  #isOver(streamId: number): boolean {
    const record = this.#streams.get(streamId);
    return record !== undefined && (record.isEnded || record.reset !== null);
  }

  #read(): void {
    for (;;) {
      const { received } = this.peer;
      const length = received.length < 9 ? Number.POSITIVE_INFINITY : received.readUIntBE(0, 3);
      if (received.length < 9 + length) return;
      const head = Buffer.from(this.peer.consume(9));
      const payload = Buffer.from(this.peer.consume(length));
      this.#take({ type: head[3] ?? 0, flags: head[4] ?? 0, streamId: head.readUInt32BE(5), payload });
    }
  }

  #take(it: H2Frame): void {
    if (it.type !== TYPE.data || this.#setup.discardsData !== true) this.frames.push(it);
    if (it.type === TYPE.settings) this.#settings(it);
    else if (it.type === TYPE.ping) this.#ping(it);
    else if (it.type === TYPE.goaway) {
      this.goAways++;
      const { payload } = it;
      const text = payload.toString("latin1", 8);
      this.goAway = { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4), text };
    } else if (it.type === TYPE.window) {
      this.windows.set(it.streamId, (this.windows.get(it.streamId) ?? 0) + it.payload.readUInt32BE(0));
    } else this.#ofStream(it);
  }

  #settings({ flags }: H2Frame): void {
    if ((flags & FLAG.ack) !== 0) this.acks++;
    else if (this.#setup.isSilent !== true) void this.send(frame(TYPE.settings, FLAG.ack, 0));
  }

  #ping({ flags, payload }: H2Frame): void {
    if ((flags & FLAG.ack) !== 0) this.#pongs++;
    else if (this.answersPings) void this.send(frame(TYPE.ping, FLAG.ack, 0, payload));
  }

  #ofStream({ type, flags, streamId, payload }: H2Frame): void {
    const record = this.#streams.get(streamId) ?? new StreamRecord();
    this.#streams.set(streamId, record);
    if (type === TYPE.reset) record.reset = payload.readUInt32BE(0);
    else if (type === TYPE.headers || type === CONTINUATION) {
      this.#block.push(payload);
      if ((flags & FLAG.end_headers) !== 0) this.#head(record, Buffer.concat(this.#block.splice(0)));
    } else if (type === TYPE.data) {
      record.bodyBytes += payload.length;
      if (this.#setup.discardsData !== true) record.body.push(payload);
      const isEnd = (flags & FLAG.end_stream) !== 0;
      if (this.#setup.opensWindows !== false && payload.length > 0) {
        void this.window(0, payload.length);
        if (!isEnd) void this.window(streamId, payload.length);
      }
    }
    if ((type === TYPE.headers || type === TYPE.data) && (flags & FLAG.end_stream) !== 0) record.isEnded = true;
  }

  #head(record: StreamRecord, block: Buffer): void {
    this.#fields = [];
    this.#decoder.decode(block, 0, block.length);
    const fields: Record<string, string> = {};
    for (const [name, value] of this.#fields) fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
    if (":status" in fields) record.heads.push(fields);
    else record.trailers = fields;
  }
}

/** Connects, and says preface and SETTINGS. The caller disposes it. */
export async function connectFrames(port: number, setup: FrameClientSetup = {}): Promise<FrameClient> {
  const peer = await new Promise<Peer>((resolve, reject) => {
    Bun.connect<Peer>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        ...peerHandlers,
        open(socket) {
          socket.data = new Peer(socket);
          resolve(socket.data);
        },
        connectError: (_socket, error) => reject(error),
      },
    }).catch(reject);
  });
  const client = new FrameClient(peer, setup);
  if (setup.isSilent !== true) await client.send(PREFACE, settingsFrame(...(setup.settings ?? [])));
  return client;
}
