import { isUtf8 } from "node:buffer";

/** What makes a path ambiguous, as bits: two readers of the path could disagree about what it names. */
export const PATH_FAULTS = {
  /** A segment `.` or `..`, in any encoding, behind any separator, with or without `;` parameters. */
  dot_segment: 1,
  encoded_slash: 2,
  encoded_backslash: 4,
  backslash: 8,
  leading_double_slash: 16,
  nul: 32,
  control: 64,
  /** A `%` that two hexadecimal digits do not follow. */
  malformed_escape: 128,
  /** The decoded bytes are not UTF-8. */
  not_utf8: 256,
} as const;

export type PathFault = keyof typeof PATH_FAULTS;

/** A path as it is matched, never as it is sent. */
export interface CanonicalPath {
  /** Printable ASCII: unreserved characters plain, every other escape in upper-case hexadecimal. */
  readonly path: string;
  /** Bits of `PATH_FAULTS`; 0 for a path with one reading only. */
  readonly faults: number;
}

interface Reading {
  readonly text: readonly string[];
  readonly faults: readonly number[];
}

const PERCENT = 0x25;
const UNRESERVED = /^[-A-Za-z0-9._~]$/;
const PRINTABLE = /^[!-~]$/;
const NON_ASCII = /[\x80-\xff]/;
const SUSPECT = /[^!-$&-[\]-~]|\/\.|^\/\//;
const DOT_SEGMENT = /(?:^|[/\\]|%2F|%5C)\.\.?(?:$|[/\\;]|%2F|%5C|%3B)/;

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function controlFault(byte: number): number {
  if (byte === 0) return PATH_FAULTS.nul;
  return byte < 0x20 || byte === 0x7f ? PATH_FAULTS.control : 0;
}

function plainFault(byte: number): number {
  return byte === 0x5c ? PATH_FAULTS.backslash : controlFault(byte);
}

function escapedFault(byte: number): number {
  if (byte === 0x2f) return PATH_FAULTS.encoded_slash;
  return byte === 0x5c ? PATH_FAULTS.encoded_backslash : controlFault(byte);
}

/** How each byte reads where it is kept as it is: characters for which `isKept` holds, escapes for the others. */
function readingOf(isKept: (character: string) => boolean, faultOf: (byte: number) => number): Reading {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const text = bytes.map((byte) => {
    const character = String.fromCharCode(byte);
    return isKept(character) ? character : escaped(byte);
  });
  return { text, faults: bytes.map(faultOf) };
}

const AS_SENT = readingOf((character) => PRINTABLE.test(character), plainFault);
const AS_ESCAPE = readingOf((character) => UNRESERVED.test(character), escapedFault);

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The byte that the escape at `at` stands for, or -1 if it is none. */
function escapeAt(raw: string, at: number): number {
  const high = hexDigit(raw.charCodeAt(at + 1));
  const low = hexDigit(raw.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function isBrokenUtf8(bytes: string): boolean {
  return NON_ASCII.test(bytes) && !isUtf8(Buffer.from(bytes, "latin1"));
}

function reread(raw: string): CanonicalPath {
  let faults = raw.startsWith("//") ? PATH_FAULTS.leading_double_slash : 0;
  let path = "";
  let bytes = "";
  for (let i = 0; i < raw.length; i++) {
    let byte = raw.charCodeAt(i) & 0xff;
    let reading = AS_SENT;
    if (byte === PERCENT) {
      const value = escapeAt(raw, i);
      // A lone % reads as its own escape, so that it never forms a new one with what follows.
      byte = value < 0 ? PERCENT : value;
      reading = AS_ESCAPE;
      if (value < 0) faults |= PATH_FAULTS.malformed_escape;
      else i += 2;
    }
    faults |= reading.faults[byte] ?? 0;
    path += reading.text[byte];
    bytes += String.fromCharCode(byte);
  }
  if (DOT_SEGMENT.test(path)) faults |= PATH_FAULTS.dot_segment;
  if (isBrokenUtf8(bytes)) faults |= PATH_FAULTS.not_utf8;
  return { path, faults };
}

/** Says that a raw path is its own canonical form and has no fault. False decides nothing. */
export function isPlainPath(raw: string): boolean {
  return !SUSPECT.test(raw);
}

/**
 * The canonical form of a raw path (no query; one character per byte) for matching.
 * Segments keep their number and order: `%2F` separates nothing, empty segments and `;` parameters stay.
 */
export function canonicalPath(raw: string): CanonicalPath {
  return isPlainPath(raw) ? { path: raw, faults: 0 } : reread(raw);
}

/** The names of the bits in `faults`, in the order of the table. */
export function faultNames(faults: number): readonly PathFault[] {
  // Object.keys forgets the keys of a constant table.
  const names = Object.keys(PATH_FAULTS) as PathFault[];
  return names.filter((name) => (faults & PATH_FAULTS[name]) !== 0);
}
