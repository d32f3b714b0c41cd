/** One `-----BEGIN …-----` to `-----END …-----` of a PEM text, both lines included. */
export interface PemBlock {
  /** Such as `CERTIFICATE`, `EC PRIVATE KEY` or `X509 CRL`. */
  readonly label: string;
  readonly text: string;
}

const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,64})-----/g;

/** The whole blocks of a text, in order; what stands around them is left out, as RFC 7468 says. */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  let endAt = 0;
  for (const begin of text.matchAll(BEGIN)) {
    if (begin.index < endAt) continue;
    const label = begin[1] ?? "";
    const end = `-----END ${label}-----`;
    const at = text.indexOf(end, begin.index);
    if (at < 0) break;
    endAt = at + end.length;
    blocks.push({ label, text: text.slice(begin.index, endAt) });
  }
  return blocks;
}

/** Blocks as one text, each on lines of its own. */
export function joinPem(blocks: readonly PemBlock[]): string {
  return blocks.map(({ text }) => `${text.replaceAll("\r\n", "\n")}\n`).join("");
}

/** The bytes that a block stands for; what is no base64 in it is skipped. */
export function pemBytes({ text }: PemBlock): Uint8Array {
  return Buffer.from(text.replace(/-----[^-]*-----/g, ""), "base64");
}

/** Says whether a value is PEM itself rather than the path of a file. */
export function isInlinePem(value: string): boolean {
  return value.trimStart().startsWith("-----BEGIN");
}

/** Says whether a value looks like a PEM text that lost its first line, so that it must not be shown as a path. */
export function isBarePem(value: string): boolean {
  return value.length > 255 || value.includes("\n") || /^M[A-Za-z0-9+/=]{40,}$/.test(value);
}
