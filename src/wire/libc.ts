import { dlopen, FFIType } from "bun:ffi";

/** Where the C library may be: with glibc, with musl, on macOS. */
const PATHS = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libSystem.B.dylib"];

type Duplicate = (fd: number) => number;

let loaded: Duplicate | null | undefined;

function load(): Duplicate | null {
  for (const path of PATHS) {
    try {
      return dlopen(path, { dup: { args: [FFIType.i32], returns: FFIType.i32 } }).symbols.dup;
    } catch {
      // Not the C library of this system; the next one may be.
    }
  }
  return null;
}

/**
 * A second descriptor of what `fd` stands for, which the caller closes; null when there is none to be had: the system
 * gives no more, or its C library cannot be called. The runtime has no call of its own for it.
 */
export function duplicate(fd: number): number | null {
  loaded ??= load();
  const copy = loaded?.(fd) ?? -1;
  return copy < 0 ? null : copy;
}
