interface Range {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** An address's bytes: 4, or 16; IPv4-mapped IPv6 counts as IPv4. Null when it is none. */
export function addressBytes(text: string): number[] | null {
  if (!text.includes(":")) return ipv4Bytes(text);
  const bytes = ipv6Bytes(text);
  const isMapped = bytes !== null && MAPPED.every((byte, at) => bytes[at] === byte);
  return isMapped ? bytes.slice(MAPPED.length) : bytes;
}

/** `::ffff:0:0/96` (RFC 4291 2.5.5.2). */
const MAPPED: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

function ipv4Bytes(text: string): number[] | null {
  const parts = text.split(".");
  // No leading zeros: some readers take them for octal.
  const isByte = (part: string) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255;
  return parts.length === 4 && parts.every(isByte) ? parts.map(Number) : null;
}

/** The last 32 bits may be written as IPv4 (RFC 4291 2.2); they are rewritten as two groups. */
function withoutDots(text: string): string | null {
  const dotted = /[^:]*\.[^:]*$/.exec(text)?.[0];
  if (dotted === undefined) return text;
  const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(dotted) ?? [-1];
  if (a < 0) return null;
  return `${text.slice(0, -dotted.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function ipv6Bytes(text: string): number[] | null {
  const [head = "", tail, more] = withoutDots(text)?.split("::") ?? [];
  if (more !== undefined) return null;
  const left = groups(head);
  const right = groups(tail ?? "");
  if (left === null || right === null) return null;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  return [...left, ...new Array<number>(missing).fill(0), ...right].flatMap((group) => [group >> 8, group & 255]);
}

function groups(text: string): number[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  return parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part)) ? parts.map((part) => Number.parseInt(part, 16)) : null;
}

/** `10.0.0.0/8`, `fd00::/8` or a single address; null when it is none of these. */
function parseRange(text: string): Range | null {
  const [address = "", suffix, more] = text.split("/");
  if (more !== undefined) return null;
  const bytes = addressBytes(address);
  if (bytes === null) return null;
  if (suffix !== undefined && !/^\d{1,3}$/.test(suffix)) return null;
  // A mapped range counts its bits from the 96 that are left off.
  const given = suffix === undefined ? bytes.length * 8 : Number(suffix);
  const bits = bytes.length === 4 && address.includes(":") && suffix !== undefined ? given - 96 : given;
  if (bits < 0) return null;
  return bits <= bytes.length * 8 ? { bytes, bits } : null;
}

/** Says whether a text is an address or a CIDR range. */
export function isAddressRange(text: string): boolean {
  return parseRange(text) !== null;
}

function covers(range: Range, bytes: readonly number[]): boolean {
  if (range.bytes.length !== bytes.length) return false;
  for (let bit = 0; bit < range.bits; bit += 8) {
    const at = bit >> 3;
    const mask = range.bits - bit >= 8 ? 255 : (255 << (8 - (range.bits - bit))) & 255;
    if (((range.bytes[at] ?? 0) & mask) !== ((bytes[at] ?? 0) & mask)) return false;
  }
  return true;
}

/** A test for addresses in any of the ranges. Ranges that do not parse are left out: check them with `isAddressRange`. */
export function addressMatcher(ranges: readonly string[]): (address: string) => boolean {
  const parsed = ranges.map(parseRange).filter((range) => range !== null);
  return (address) => {
    const bytes = parsed.length === 0 ? null : addressBytes(address);
    return bytes !== null && parsed.some((range) => covers(range, bytes));
  };
}
