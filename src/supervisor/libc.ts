import { FFIType, read } from "bun:ffi";
import { openLibc } from "../wire/libc.ts";

const { i32, u32, ptr } = FFIType;

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
  try {
    return openLibc(SYMBOLS);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`more than one worker needs the C library, which cannot be opened (${reason}); write workers: 1`);
  }
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
