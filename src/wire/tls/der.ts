/** One element of DER (X.690). */
export interface DerElement {
  /** Class, form and number in one byte, such as 0x30 for a SEQUENCE. */
  readonly tag: number;
  readonly content: Buffer;
}

/** The elements that fill these bytes, one after the other. Throws a RangeError when they do not, exactly. */
export function derElements(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { headBytes, length } = derHead(bytes, at);
    const from = at + headBytes;
    if (from + length > bytes.length) throw new RangeError("DER: an element goes beyond its end");
    elements.push({ tag: bytes.readUInt8(at), content: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return elements;
}

/** The elements within one that is made of others. */
export function derChildren(element: DerElement | undefined): readonly DerElement[] {
  return element === undefined ? [] : derElements(element.content);
}

function derHead(bytes: Buffer, at: number): { readonly headBytes: number; readonly length: number } {
  const first = bytes.readUInt8(at + 1);
  if (first < 0x80) return { headBytes: 2, length: first };
  const lengthBytes = first & 0x7f;
  if (lengthBytes === 0 || lengthBytes > 4) throw new RangeError("DER: a length is none");
  return { headBytes: 2 + lengthBytes, length: bytes.readUIntBE(at + 2, lengthBytes) };
}

/** An object identifier in dotted decimals. */
export function derOid(content: Buffer): string {
  const arcs: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...rest].join(".");
}

const BMP_STRING = 0x1e;
const UNIVERSAL_STRING = 0x1c;
const UTF8_STRING = 0x0c;

/** The text of any string type; what is no valid UTF-8 where it should be has U+FFFD in its place. */
export function derText({ tag, content }: DerElement): string {
  if (tag === UTF8_STRING) return content.toString("utf8");
  if (tag === BMP_STRING) return wideText(content, 2);
  if (tag === UNIVERSAL_STRING) return wideText(content, 4);
  return content.toString("latin1");
}

function wideText(content: Buffer, size: 2 | 4): string {
  let text = "";
  for (let at = 0; at + size <= content.length; at += size) {
    const code = content.readUIntBE(at, size);
    text += String.fromCodePoint(code > 0x10ffff ? 0xfffd : code);
  }
  return text;
}

const UTC_TIME = 0x17;

/** A UTCTime or GeneralizedTime (RFC 5280 4.1.2.5) in milliseconds since 1970; NaN for what is neither. */
export function derTime({ tag, content }: DerElement): number {
  const digits = content.toString("latin1");
  const short = tag === UTC_TIME;
  const full = short ? `${Number(digits.slice(0, 2)) < 50 ? "20" : "19"}${digits}` : digits;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (parts === null) return Number.NaN;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
