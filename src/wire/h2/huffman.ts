import { HpackError } from "./hpack-error.ts";

// How many bits the code of each octet has, and of EOS behind them, as digits of base 36 (RFC 7541 Appendix B).
// The code is canonical: the bits themselves follow from the lengths.
const LENGTH_DIGITS = [
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca",
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds",
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn",
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq",
  "u",
].join("");
const EOS = 256;
const LONGEST_BITS = 30;

const LENGTHS = Uint8Array.from(LENGTH_DIGITS, (digit) => Number.parseInt(digit, 36));
const CODES = new Uint32Array(EOS + 1);
// By length: the first code of that length, how many there are, and where its symbols begin in SYMBOLS.
const FIRSTS = new Int32Array(LONGEST_BITS + 1);
const COUNTS = new Int32Array(LONGEST_BITS + 1);
const OFFSETS = new Int32Array(LONGEST_BITS + 1);
/** All symbols in the order of their codes. */
const SYMBOLS = new Uint16Array(EOS + 1);
// What the next eight bits begin with: the length in the upper byte, the symbol in the lower; 0: a code over eight
// bits. Letters, digits and nearly all that stands in fields have at most eight. A table of half a kilobyte stays in
// the processor's first cache, which the one of 16 KB for a step of four bits would not.
const SHORT = new Uint16Array(256);

function fillTables(): void {
  let code = 0;
  let order = 0;
  for (let bits = 1; bits <= LONGEST_BITS; bits++) {
    FIRSTS[bits] = code;
    OFFSETS[bits] = order;
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (LENGTHS[symbol] !== bits) continue;
      CODES[symbol] = code;
      SYMBOLS[order++] = symbol;
      if (bits <= 8) SHORT.fill((bits << 8) | symbol, code << (8 - bits), (code + 1) << (8 - bits));
      code++;
    }
    COUNTS[bits] = order - (OFFSETS[bits] ?? 0);
    code *= 2;
  }
}

fillTables();

const SCRATCH_BYTES = 4096;
const SCRATCH = Buffer.alloc(SCRATCH_BYTES);

/**
 * The text, in Latin-1, whose Huffman code is bytes[start, end). Throws an HpackError for a padding that is over seven
 * bits or not the beginning of EOS, and for EOS itself (RFC 7541 5.2).
 */
export function huffmanText(bytes: Uint8Array, start: number, end: number): string {
  // The shortest code has five bits.
  const room = Math.ceil(((end - start) * 8) / 5);
  const out = room <= SCRATCH_BYTES ? SCRATCH : Buffer.alloc(room);
  let written = 0;
  let at = start;
  // The lowest `bits` bits are still to be read.
  let pending = 0;
  let bits = 0;
  for (;;) {
    while (bits < 8 && at < end) {
      pending = (pending << 8) | (bytes[at++] ?? 0);
      bits += 8;
    }
    // Behind the last octet come ones, as in a padding.
    const next = bits < 8 ? (pending << (8 - bits)) | (0xff >> bits) : pending >>> (bits - 8);
    const short = SHORT[next & 0xff] ?? 0;
    if (short !== 0) {
      if (short >> 8 > bits) throw new HpackError("a Huffman padding that does not begin EOS");
      out[written++] = short;
      bits -= short >> 8;
      continue;
    }
    if (bits < 8) break;
    let code = next & 0xff;
    let length = 8;
    bits -= 8;
    do {
      if (bits === 0) {
        if (at === end) throw new HpackError("a Huffman code that is cut off, or over seven bits of padding");
        pending = bytes[at++] ?? 0;
        bits = 8;
      }
      bits--;
      code = (code << 1) | ((pending >>> bits) & 1);
      length++;
    } while (code - (FIRSTS[length] ?? 0) >= (COUNTS[length] ?? 0));
    const symbol = SYMBOLS[(OFFSETS[length] ?? 0) + code - (FIRSTS[length] ?? 0)] ?? EOS;
    if (symbol === EOS) throw new HpackError("EOS in a Huffman code");
    out[written++] = symbol;
  }
  return out.toString("latin1", 0, written);
}

/** How many octets a text's Huffman code takes, its padding included. One character an octet. */
export function huffmanBytes(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 0xff] ?? 0;
  return (bits + 7) >> 3;
}

/** Writes a text's Huffman code at a place where `huffmanBytes` octets have room; returns the place behind it. */
export function writeHuffman(text: string, out: Uint8Array, start: number): number {
  let at = start;
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let code = CODES[symbol] ?? 0;
    let length = LENGTHS[symbol] ?? 0;
    // Up to seven bits are pending, and there are only 32.
    if (length > 24) {
      pending = (pending << (length - 16)) | (code >>> 16);
      bits += length - 16;
      for (; bits >= 8; bits -= 8) out[at++] = pending >>> (bits - 8);
      code &= 0xffff;
      length = 16;
    }
    pending = (pending << length) | code;
    bits += length;
    for (; bits >= 8; bits -= 8) out[at++] = pending >>> (bits - 8);
  }
  if (bits > 0) out[at++] = (pending << (8 - bits)) | (0xff >> bits);
  return at;
}
