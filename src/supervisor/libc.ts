import { dlopen, FFIType, read } from "bun:ffi";

const { i32, u32, ptr } = FFIType;
const CANDIDATES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libc.so"];

const SYMBOLS = {
  socket: { args: [i32, i32, i32], returns: i32 },
  setsockopt: { args: [i32, i32, i32, ptr, u32], returns: i32 },
  bind: { args: [i32, ptr, u32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  getsockname: { args: [i32, ptr, ptr], returns: i32 },
  __errno_location: { args: [], returns: ptr },
} as const;

function open() {
  if (process.platform !== "linux") throw new Error("more than one worker needs Linux; write workers: 1");
  const reasons: string[] = [];
  for (const name of CANDIDATES) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`more than one worker needs the C library, which cannot be opened (${reasons[0]}); write workers: 1`);
}

let opened: ReturnType<typeof open> | null = null;

/** The calls on sockets that the runtime has none for. Throws an Error where there is no such C library. */
export function libc(): ReturnType<typeof open> {
  opened ??= open();
  return opened;
}

/** What made the last call fail; to be asked right after it, as the runtime makes calls of its own. */
export function lastErrno(): number {
  const at = libc().__errno_location();
  return at === null ? 0 : read.i32(at, 0);
}
