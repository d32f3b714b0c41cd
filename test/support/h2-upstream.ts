import type { TLSOptions } from "bun";
import { HpackDecoder } from "../../src/wire/h2/hpack-decoder.ts";
import { Peer, PeerError, peerHandlers } from "./peer.ts";

/** A frame as it came. */
export interface H2Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The head of a request. */
export interface H2Request {
  readonly streamId: number;
  /** Pseudo-header fields among them; values of equal names joined by `, `. */
  readonly fields: Readonly<Record<string, string>>;
  readonly isEnd: boolean;
}

export type FieldPairs = readonly (readonly [name: string, value: string])[];

export const TYPE = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
} as const;

const PREFACE_BYTES = 24;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;

/** Literals without indexing, never compressed: every decoder reads them, whatever was sent before. */
export function encodeFields(fields: FieldPairs): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, "latin1");
    const { length } = bytes;
    const prefix = length < 127 ? [length] : [127, ...varint(length - 127)];
    return Buffer.concat([Buffer.from(prefix), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => void bytes.writeUInt32BE(value, i * 4));
  return bytes;
}

/** One connection that a scripted HTTP/2 upstream accepted. It answers SETTINGS and PING by itself. */
export class H2Connection {
  readonly peer: Peer;
  /** Counts the upstream's connections from 0. */
  readonly index: number;
  /** Frames that came and were not asked for, without SETTINGS, WINDOW_UPDATE, and PING that were answered. */
  readonly frames: H2Frame[] = [];
  answersPings = true;
  #hasPreface = false;
  readonly #fields: [string, string][] = [];
  readonly #decoder = new HpackDecoder({
    sink: { field: (name, value) => void this.#fields.push([name, value]) },
    maxTableBytes: 4096,
    maxListBytes: 1 << 20,
  });

  constructor(peer: Peer, index: number) {
    this.peer = peer;
    this.index = index;
  }

  /** The next frame of that type, on that stream if one is given; earlier frames of others are kept. */
  async next(type: number, streamId?: number, timeoutMs = 10_000): Promise<H2Frame> {
    const find = () => {
      this.#read();
      return this.frames.findIndex((it) => it.type === type && (streamId === undefined || it.streamId === streamId));
    };
    await this.peer.until(() => find() >= 0, `a frame of type ${type}`, timeoutMs);
    const [found] = this.frames.splice(find(), 1);
    if (found === undefined) throw new PeerError("the frame is gone");
    return found;
  }

  /** The next head; those that come must be asked for in their order. */
  async request(timeoutMs?: number): Promise<H2Request> {
    const { streamId, flags, payload } = await this.next(TYPE.headers, undefined, timeoutMs);
    this.#fields.length = 0;
    this.#decoder.decode(payload, 0, payload.length);
    const fields: Record<string, string> = {};
    for (const [name, value] of this.#fields) fields[name] = name in fields ? `${fields[name]}, ${value}` : value;
    return { streamId, fields, isEnd: (flags & END_STREAM) !== 0 };
  }

  /** The bytes of a stream's DATA up to its end, Latin-1. */
  async body(streamId: number): Promise<string> {
    let text = "";
    for (;;) {
      const { flags, payload } = await this.next(TYPE.data, streamId);
      text += payload.toString("latin1");
      if ((flags & END_STREAM) !== 0) return text;
    }
  }

  settings(pairs: readonly (readonly [id: number, value: number])[] = []): Promise<void> {
    const payload = Buffer.concat(
      pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), uint32(value)])),
    );
    return this.peer.send(frame(TYPE.settings, 0, 0, payload));
  }

  headers(streamId: number, fields: FieldPairs, isEnd = false): Promise<void> {
    const flags = END_HEADERS | (isEnd ? END_STREAM : 0);
    return this.peer.send(frame(TYPE.headers, flags, streamId, encodeFields(fields)));
  }

  data(streamId: number, data: string | Uint8Array, isEnd = false): Promise<void> {
    return this.peer.send(frame(TYPE.data, isEnd ? END_STREAM : 0, streamId, Buffer.from(data)));
  }

  /** A whole response. */
  async respond(streamId: number, body = "ok", fields: FieldPairs = []): Promise<void> {
    await this.headers(streamId, [[":status", "200"], ...fields]);
    await this.data(streamId, body, true);
  }

  reset(streamId: number, code: number): Promise<void> {
    return this.peer.send(frame(TYPE.reset, 0, streamId, uint32(code)));
  }

  goAway(lastStreamId: number, code = 0): Promise<void> {
    return this.peer.send(frame(TYPE.goaway, 0, 0, uint32(lastStreamId, code)));
  }

  /** Waits until the other side has read all that was sent before. */
  async settled(): Promise<void> {
    await this.peer.send(frame(TYPE.ping, 0, 0, Buffer.from("settled?")));
    await this.next(TYPE.ping);
  }

  window(streamId: number, bytes: number): Promise<void> {
    return this.peer.send(frame(TYPE.window, 0, streamId, uint32(bytes)));
  }

  /** Takes whole frames out of what came. */
  #read(): void {
    if (!this.#hasPreface) {
      if (this.peer.received.length < PREFACE_BYTES) return;
      this.peer.consume(PREFACE_BYTES);
      this.#hasPreface = true;
    }
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
    if (it.type === TYPE.settings) {
      if (it.flags !== ACK) void this.peer.send(frame(TYPE.settings, ACK, 0));
    } else if (it.type === TYPE.ping && it.flags !== ACK && this.answersPings) {
      void this.peer.send(frame(TYPE.ping, ACK, 0, it.payload));
    } else if (it.type !== TYPE.window) this.frames.push(it);
  }
}

export type H2Script = (connection: H2Connection) => Promise<void>;

export interface H2UpstreamSetup {
  readonly tls?: TLSOptions;
  /** SETTINGS that are sent at once; null: none, the script does it. */
  readonly settings?: readonly (readonly [id: number, value: number])[] | null;
}

export interface H2Upstream extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly connections: readonly H2Connection[];
  /** Waits for the connection of this index to be accepted. */
  connection(index: number): Promise<H2Connection>;
}

/** A server that follows a script on every connection, frame by frame. A script's failure shows when it is disposed. */
export function startH2Upstream(script: H2Script, { tls, settings = [] }: H2UpstreamSetup = {}): H2Upstream {
  const connections: H2Connection[] = [];
  const arrivals: PromiseWithResolvers<H2Connection>[] = [];
  const arrival = (index: number) => {
    arrivals[index] ??= Promise.withResolvers();
    return arrivals[index];
  };
  const failures: unknown[] = [];
  const run = async (connection: H2Connection) => {
    if (settings !== null) await connection.settings(settings);
    await script(connection);
  };
  const server = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    ...(tls === undefined ? {} : { tls }),
    socket: {
      ...peerHandlers,
      open(socket) {
        socket.data = new Peer(socket);
        const connection = new H2Connection(socket.data, connections.length);
        connections.push(connection);
        arrival(connection.index).resolve(connection);
        run(connection).catch((error: unknown) => {
          if (!(error instanceof PeerError)) failures.push(error);
        });
      },
    },
  });
  return {
    port: server.port,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${server.port}`,
    connections,
    connection: (index) => arrival(index).promise,
    async [Symbol.asyncDispose]() {
      for (const { peer } of connections) if (!peer.isGone) peer.reset();
      server.stop(true);
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Answers every request with what the function says, when the request has ended. */
export function startH2Answering(
  answer: (connection: H2Connection, request: H2Request, body: string) => Promise<void>,
  setup: H2UpstreamSetup = {},
): H2Upstream {
  return startH2Upstream(async (connection) => {
    for (;;) {
      const request = await connection.request(600_000);
      const body = request.isEnd ? "" : await connection.body(request.streamId);
      await answer(connection, request, body);
    }
  }, setup);
}
