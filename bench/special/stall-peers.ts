import type { Socket } from "bun";

/** Where the sink listens behind the proxy. */
export const SINK_PATH = "/sink";

const STALL_AFTER_BYTES = 50_000_000;
const STALL_MS = 4000;
const CHUNK = new Uint8Array(64 * 1024);

/** A path and the size of the body that goes one way. */
export interface Transfer {
  readonly path: string;
  readonly bytes: number;
}

/** Reads a message, and stops reading once, for four seconds, after its first 50 MB. */
class Reader {
  headBytes: number | null = null;
  contentBytes = 0;
  totalBytes = 0;
  hasStalled = false;
  status = "";
}

/** Counts a chunk; true when the message is complete. The head must come in the first chunk, as it does here. */
function read(reader: Reader, socket: Socket<unknown>, chunk: Buffer): boolean {
  if (reader.headBytes === null) readHead(reader, chunk);
  reader.totalBytes += chunk.byteLength;
  if (!reader.hasStalled && reader.totalBytes > STALL_AFTER_BYTES) {
    reader.hasStalled = true;
    socket.pause();
    setTimeout(() => socket.resume(), STALL_MS);
  }
  return reader.totalBytes === (reader.headBytes ?? 0) + reader.contentBytes;
}

function readHead(reader: Reader, chunk: Buffer): void {
  const end = chunk.indexOf("\r\n\r\n");
  if (end === -1) throw new Error("a head did not come in one piece");
  const head = chunk.toString("latin1", 0, end);
  reader.headBytes = end + 4;
  reader.contentBytes = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  reader.status = head.slice(9, 12);
}

/** A service which reads uploads with a stall in each and then answers 200. */
export interface Sink {
  readonly port: number;
  close(): void;
}

/** Listens on a free loopback port; whoever makes it closes it. */
export function createSink(): Sink {
  const listener = Bun.listen<Reader>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = new Reader();
      },
      data: (socket, chunk) => {
        if (!read(socket.data, socket, chunk)) return;
        socket.data = new Reader();
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
      },
    },
  });
  return { port: listener.port, close: () => listener.stop(true) };
}

/** Reads the whole answer, with a stall; rejects when it is not 200, not as long as expected, or cut. */
export async function download(port: number, { path, bytes }: Transfer): Promise<void> {
  const reader = new Reader();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (self, chunk) => {
        if (read(reader, self, chunk)) resolve();
      },
      close: () => reject(new Error(`the answer was cut after ${reader.totalBytes} bytes`)),
    },
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await promise;
  socket.terminate();
  if (reader.status !== "200" || reader.contentBytes !== bytes) {
    throw new Error(`got ${reader.status} with ${reader.contentBytes} of ${bytes} bytes`);
  }
}

/** Sends a body as fast as it is taken; rejects when the answer is not 200 or the connection closes before it. */
export async function upload(port: number, { path, bytes }: Transfer): Promise<void> {
  const reader = new Reader();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let leftBytes = bytes;
  const send = (socket: Socket<undefined>) => {
    while (leftBytes > 0) {
      const written = socket.write(CHUNK, 0, Math.min(CHUNK.byteLength, leftBytes));
      if (written <= 0) return;
      leftBytes -= written;
    }
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      drain: send,
      data: (self, chunk) => {
        if (read(reader, self, chunk)) resolve();
      },
      close: () => reject(new Error(`the connection closed with ${leftBytes} bytes left to send`)),
    },
  });
  socket.write(`POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: ${bytes}\r\n\r\n`);
  send(socket);
  await promise;
  socket.terminate();
  if (reader.status !== "200" || leftBytes > 0)
    throw new Error(`got ${reader.status} with ${leftBytes} bytes left to send`);
}
