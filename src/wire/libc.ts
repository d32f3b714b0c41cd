import { dlopen, type FFIFunction, FFIType, type Library } from "bun:ffi";

const MUSL = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;

/** Where the C library may be: with glibc, with musl, by its bare name, on macOS. */
const PATHS = ["libc.so.6", MUSL, "libc.so", "libSystem.B.dylib"];

/** Opens these calls of the system's C library, for good. Throws an Error that says why none can be opened. */
export function openLibc<Calls extends Readonly<Record<string, FFIFunction>>>(calls: Calls): Library<Calls>["symbols"] {
  const reasons: string[] = [];
  for (const path of PATHS) {
    try {
      return dlopen(path, calls).symbols;
    } catch (error) {
      // Not the C library of this system; the next one may be.
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(reasons[0]);
}

type Duplicate = (fd: number) => number;

let loaded: Duplicate | null | undefined;

function load(): Duplicate | null {
  try {
    return openLibc({ dup: { args: [FFIType.i32], returns: FFIType.i32 } }).dup;
  } catch {
    return null;
  }
}

/**
 * A second descriptor of what `fd` stands for, which the caller closes; null when there is none to be had: the system
 * gives no more, or its C library cannot be called. The runtime has no call of its own for it.
 */
export function duplicate(fd: number): number | null {
  // Undefined only before the first call: a library that cannot be called is not looked for at each.
  if (loaded === undefined) loaded = load();
  const copy = loaded?.(fd) ?? -1;
  return copy < 0 ? null : copy;
}
