/** One value of DER (X.690), its body as it stands. */
export interface DerElement {
  readonly tag: number;
  readonly body: Uint8Array;
  /** What stands behind it. */
  readonly rest: Uint8Array;
}

export const SEQUENCE = 0x30;
const UTF8_STRING = 0x0c;
const BMP_STRING = 0x1e;

/** The first element of DER; null when it is not whole. */
export function elementOf(bytes: Uint8Array): DerElement | null {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) return null;
  const more = first < 128 ? 0 : first & 127;
  if (more > 4 || bytes.length < 2 + more) return null;
  const length = more === 0 ? first : bytes.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0);
  const end = 2 + more + length;
  return end > bytes.length ? null : { tag, body: bytes.subarray(2 + more, end), rest: bytes.subarray(end) };
}

/** The elements that follow one another, so many at most; the first that is not whole ends them. */
export function elementsOf(bytes: Uint8Array, atMost: number): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let rest = bytes; elements.length < atMost; ) {
    const element = elementOf(rest);
    if (element === null) break;
    elements.push(element);
    rest = element.rest;
  }
  return elements;
}

const KINDS: Readonly<Record<string, string>> = {
  "550403": "CN",
  "550406": "C",
  "550407": "L",
  "550408": "ST",
  "55040a": "O",
  "55040b": "OU",
};
/** Real names have less than ten parts. */
const MOST_PARTS = 100;

function textOf({ tag, body }: DerElement): string {
  const bytes = Buffer.from(body);
  if (tag === BMP_STRING && bytes.length % 2 === 0) return bytes.swap16().toString("utf16le");
  return bytes.toString(tag === UTF8_STRING ? "utf8" : "latin1");
}

function partOf({ body }: DerElement): string {
  const [type, value] = elementsOf(body, 2);
  const oid = type === undefined ? "" : Buffer.from(type.body).toString("hex");
  return `${KINDS[oid] ?? oid}=${value === undefined ? "" : textOf(value)}`;
}

/** A distinguished name, on one line: `O=Torii, CN=Root`. */
export function nameOf({ body }: DerElement): string {
  const parts = elementsOf(body, MOST_PARTS).flatMap((set) => elementsOf(set.body, MOST_PARTS).map(partOf));
  return parts.join(", ");
}

/** What equal names have in common (RFC 5280 7.1): how they are encoded, case and spaces make no difference. */
export function nameKey(name: string): string {
  return name.replace(/\s+/g, " ").trim().toLowerCase();
}

/** The subject of a certificate (RFC 5280 4.1); null for what is none. */
export function subjectNameOf(certificate: Uint8Array): string | null {
  const whole = elementOf(certificate);
  const inner = whole?.tag === SEQUENCE ? elementOf(whole.body) : null;
  if (inner?.tag !== SEQUENCE) return null;
  // Version (not in the first one), serial number, algorithm, issuer, validity, subject.
  const parts = elementsOf(inner.body, 6);
  const subject = parts[parts[0]?.tag === 0xa0 ? 5 : 4];
  return subject?.tag === SEQUENCE ? nameOf(subject) : null;
}
