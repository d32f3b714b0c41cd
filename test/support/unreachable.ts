import { dlopen, FFIType, ptr } from "bun:ffi";

/** A port of this machine that nobody listens on: connecting is refused at once. */
export function closedPort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

const { i32, u32 } = FFIType;
const AF_INET = 2;
const SOCK_STREAM = 1;

function openLibc() {
  return dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    bind: { args: [i32, FFIType.ptr, u32], returns: i32 },
    listen: { args: [i32, i32], returns: i32 },
    getsockname: { args: [i32, FFIType.ptr, FFIType.ptr], returns: i32 },
    close: { args: [i32], returns: i32 },
  }).symbols;
}

export interface Blackhole extends Disposable {
  readonly port: number;
}

/**
 * A port where connecting neither succeeds nor fails: its queue of connections is full and nobody accepts.
 * No API of the runtime leaves connections unaccepted, so this asks the C library (Linux only).
 */
export async function startBlackhole(): Promise<Blackhole> {
  const libc = openLibc();
  const fd = libc.socket(AF_INET, SOCK_STREAM, 0);
  const address = new Uint8Array(16);
  address[0] = AF_INET;
  address.set([127, 0, 0, 1], 4);
  if (libc.bind(fd, ptr(address), address.length) !== 0 || libc.listen(fd, 0) !== 0)
    throw new Error("no listening socket");
  libc.getsockname(fd, ptr(address), ptr(new Uint32Array([address.length])));
  const port = new DataView(address.buffer).getUint16(2);
  // A backlog of 0 still takes one connection; this one fills it.
  const filler = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  return {
    port,
    [Symbol.dispose]() {
      filler.terminate();
      libc.close(fd);
    },
  };
}
