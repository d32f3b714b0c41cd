/** Smaller buffers are the collector's everyday work. */
const LARGE_BYTES = 64 * 1024;

/**
 * Frees the memory of a data event's buffer, which the runtime makes anew for each event, up to 512 KB large. The
 * collector would get to it late: it does not count what lies outside its heap, and a fast stream leaves 40 MB behind.
 * Whoever keeps bytes beyond the event has copied them (see `BodySink.write`).
 */
export function freeBuffer(bytes: Uint8Array): void {
  if (bytes.length < LARGE_BYTES || !(bytes.buffer instanceof ArrayBuffer)) return;
  bytes.buffer.transfer(0);
}
