const ENCODED = /[%+\x80-\xff]/;
const ESCAPE = /%([0-9A-Fa-f]{2})/g;

/** The UTF-8 text of a raw query piece; `+` is a space, a malformed escape stays as it is. */
function decoded(piece: string): string {
  if (!ENCODED.test(piece)) return piece;
  const bytes = piece.replaceAll("+", " ").replace(ESCAPE, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/**
 * The decoded value of the first parameter of that name in a raw target, or null if there is none.
 * A parameter without `=` has the value "". Bytes that are not UTF-8 become U+FFFD.
 */
export function queryValue(target: string, name: string): string | null {
  let start = target.indexOf("?") + 1;
  if (start === 0) return null;
  while (start <= target.length) {
    const next = target.indexOf("&", start);
    const end = next < 0 ? target.length : next;
    const equals = target.indexOf("=", start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (start < end && decoded(target.slice(start, nameEnd)) === name) return decoded(target.slice(nameEnd + 1, end));
    start = end + 1;
  }
  return null;
}
