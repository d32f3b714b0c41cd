const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Controls but HTAB are refused, and so is whatever does not fit one octet (RFC 9110 5.5).
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const LOWER = new Map<string, string>();
const LOWER_LIMIT = 2048;

/**
 * The lower-case form of a field name, or null if it is no token (RFC 9110 5.1).
 * Names that were seen before cost one look-up; the memory is bounded.
 */
export function fieldName(raw: string): string | null {
  const known = LOWER.get(raw);
  if (known !== undefined) return known;
  if (!TOKEN.test(raw)) return null;
  const name = raw.toLowerCase();
  if (LOWER.size < LOWER_LIMIT) LOWER.set(ownCopy(raw), ownCopy(name));
  return name;
}

/** The same text in memory of its own: a slice would keep the whole head that it was cut from. */
export function ownCopy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** Says whether a text may stand as a field value: no control but HTAB, nothing over one octet. */
export function isFieldValue(value: string): boolean {
  return !BAD_VALUE.test(value);
}

function lineOf(name: string, value: string): string {
  if (fieldName(name) === null) throw new TypeError(`invalid header name: ${JSON.stringify(name.slice(0, 60))}`);
  if (BAD_VALUE.test(value)) throw new TypeError(`invalid value of header ${name}`);
  return `${name}: ${value}`;
}

/** Takes optional white space off both ends: SP and HTAB, nothing else (RFC 9110 5.6.3); `trim` would take more. */
export function trimSpace(text: string): string {
  return trimmed(text, 0, text.length);
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}

/** Parsed fields: lines of a text, each right behind the one before. Never changed once it is parsed. */
export class FieldBlock {
  /** Lower-case names, in order. */
  readonly names: string[] = [];
  /** Where each field's line begins in the text; the last one goes to its end. */
  readonly starts: number[] = [];
  readonly text: string;
  /** Whether one of them says how long the client waits; null until somebody asked. */
  tellsTimeout: boolean | null = null;
  /** What was written of it last, and without which names: most heads are written the same way every time. */
  #written = "";
  #without: ReadonlySet<string> | null = null;

  constructor(text: string) {
    this.text = text;
  }

  endAt(index: number): number {
    const next = this.starts[index + 1];
    return next === undefined ? this.text.length : next - 2;
  }

  /** The fields as text, each with its line end, but for those of these names. */
  textWithout(dropped: ReadonlySet<string>): string {
    if (this.#without === dropped) return this.#written;
    let text = "";
    // Neighbours leave as one piece: their line ends stand between them.
    let first = -1;
    for (let i = 0; i < this.names.length; i++) {
      const isKept = !dropped.has(this.names[i] ?? "");
      if (isKept && first < 0) first = i;
      else if (!isKept && first >= 0) {
        text += this.text.slice(this.starts[first], this.starts[i]);
        first = -1;
      }
    }
    if (first >= 0) text += `${this.text.slice(this.starts[first])}\r\n`;
    this.#without = dropped;
    this.#written = text;
    return text;
  }
}

const NO_FIELDS = new FieldBlock("");

/**
 * Header or trailer fields as they stand on the wire: order, case and duplicates are kept.
 * Parsed fields stay parts of their block until one is changed, so that a list nobody touches is written as it was
 * read, and lists of equal heads share one block.
 */
export class HeaderList {
  #block: FieldBlock | null;
  #names: string[] = NO_FIELDS.names;
  #lines: string[] = NO_FIELDS.names;

  /** The fields of a block, or none. */
  constructor(block: FieldBlock = NO_FIELDS) {
    this.#block = block;
  }

  /** The block that it still is, or null when fields were changed. */
  get block(): FieldBlock | null {
    return this.#block;
  }

  get size(): number {
    return this.names.length;
  }

  /** Lower-case names, in order. */
  get names(): readonly string[] {
    return this.#block === null ? this.#names : this.#block.names;
  }

  /** `Name: value` of each field, without the line end, in Latin-1. */
  get lines(): readonly string[] {
    return this.#owned();
  }

  /** Appends a field of another list as it stands. */
  appendFrom(other: HeaderList, index: number): void {
    this.#owned().push(other.lines[index] ?? "");
    this.#names.push(other.names[index] ?? "");
  }

  has(name: string): boolean {
    return this.names.includes(name.toLowerCase());
  }

  /** The value of the first field of that name, or null. */
  first(name: string): string | null {
    const at = this.names.indexOf(name.toLowerCase());
    return at < 0 ? null : this.valueAt(at);
  }

  /** All values of that name joined by `, ` (RFC 9110 5.3), or null. */
  get(name: string): string | null {
    const lower = name.toLowerCase();
    const at = this.names.indexOf(lower);
    if (at < 0) return null;
    if (this.names.indexOf(lower, at + 1) < 0) return this.valueAt(at);
    return this.values(lower).join(", ");
  }

  values(name: string): string[] {
    const lower = name.toLowerCase();
    const found: string[] = [];
    for (let i = 0; i < this.names.length; i++) if (this.names[i] === lower) found.push(this.valueAt(i));
    return found;
  }

  valueAt(index: number): string {
    const block = this.#block;
    const nameEnd = (this.names[index] ?? "").length + 1;
    if (block !== null) return trimmed(block.text, (block.starts[index] ?? 0) + nameEnd, block.endAt(index));
    const line = this.#lines[index] ?? "";
    return trimmed(line, nameEnd, line.length);
  }

  /** The fields as text, each with its line end, but for those of these names. */
  textWithout(dropped: ReadonlySet<string>): string {
    if (this.#block !== null) return this.#block.textWithout(dropped);
    let text = "";
    for (let i = 0; i < this.#names.length; i++) {
      if (!dropped.has(this.#names[i] ?? "")) text += `${this.#lines[i]}\r\n`;
    }
    return text;
  }

  /** Appends a field. Throws a TypeError for an invalid name or value. */
  add(name: string, value: string): void {
    const line = lineOf(name, value);
    this.#owned().push(line);
    this.#names.push(name.toLowerCase());
  }

  /** Replaces all fields of that name by one, in the place of the first. Throws as `add` does. */
  set(name: string, value: string): void {
    const lower = name.toLowerCase();
    const at = this.names.indexOf(lower);
    if (at < 0) {
      this.add(name, value);
      return;
    }
    const line = lineOf(name, value);
    this.#owned()[at] = line;
    if (this.names.indexOf(lower, at + 1) >= 0) this.#removeFrom(lower, at + 1);
  }

  delete(name: string): void {
    const lower = name.toLowerCase();
    const at = this.names.indexOf(lower);
    if (at >= 0) this.#removeFrom(lower, at);
  }

  forEach(visit: (name: string, value: string) => void): void {
    for (let i = 0; i < this.names.length; i++) visit(this.names[i] ?? "", this.valueAt(i));
  }

  copy(): HeaderList {
    if (this.#block !== null) return new HeaderList(this.#block);
    const list = new HeaderList();
    list.#block = null;
    list.#names = this.#names.slice();
    list.#lines = this.#lines.slice();
    return list;
  }

  /** The lines, to be changed: from here on the list has its own. */
  #owned(): string[] {
    const block = this.#block;
    if (block === null) return this.#lines;
    this.#names = block.names.slice();
    this.#lines = block.names.map((_name, i) => block.text.slice(block.starts[i], block.endAt(i)));
    this.#block = null;
    return this.#lines;
  }

  #removeFrom(lower: string, from: number): void {
    const lines = this.#owned();
    const names = this.#names;
    let kept = from;
    for (let i = from; i < names.length; i++) {
      if (names[i] === lower) continue;
      names[kept] = names[i] ?? "";
      lines[kept] = lines[i] ?? "";
      kept++;
    }
    names.length = kept;
    lines.length = kept;
  }
}

/** A list from pairs, for responses that the gateway makes itself. Throws as `add` does. */
export function headerList(pairs: Iterable<readonly [string, string]>): HeaderList {
  const list = new HeaderList();
  for (const [name, value] of pairs) list.add(name, value);
  return list;
}
