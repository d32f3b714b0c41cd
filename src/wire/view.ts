/** No bytes. */
export const NOTHING = Buffer.alloc(0);
const SMALL_BYTES = 32 * 1024;
const small = Buffer.alloc(SMALL_BYTES);
const smallMemory = small.buffer;

/**
 * The bytes from there on, valid until the event ends. Small ones are copied to where a view is cheap: asking the
 * runtime for the memory behind a buffer of its own costs more than parsing a head.
 */
export function viewFrom(bytes: Buffer, at: number): Uint8Array {
  const length = bytes.length - at;
  if (length === 0) return NOTHING;
  if (length > SMALL_BYTES) return bytes.subarray(at);
  bytes.copy(small, 0, at);
  return new Uint8Array(smallMemory, small.byteOffset, length);
}

/** The same memory under Buffer's methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A copy of the bytes from there on. A Buffer's own `slice` is a view, and every chunk of a socket's is a Buffer. */
export function copyFrom(bytes: Uint8Array, at = 0): Uint8Array {
  return new Uint8Array(at === 0 ? bytes : bytes.subarray(at));
}
