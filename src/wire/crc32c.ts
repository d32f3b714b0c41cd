/** Reflected polynomial of Castagnoli (RFC 9260 appendix A). */
const POLYNOMIAL = 0x82f63b78;

/** CRC32c of bytes, as an unsigned number; that of nothing is 0. For headers: it goes bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return ~crc >>> 0;
}
