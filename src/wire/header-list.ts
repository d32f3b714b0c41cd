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
  if (LOWER.size < LOWER_LIMIT) LOWER.set(raw, name);
  return name;
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
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}

/**
 * Header or trailer fields as they stand on the wire: order, case and duplicates are kept.
 * `names[i]` is the lower-case name of `lines[i]`, which is `Name: value` without the line end, in Latin-1.
 * Both arrays may be read by the rest of `wire`; everybody else uses the methods.
 */
export class HeaderList {
  names: string[] = [];
  lines: string[] = [];

  get size(): number {
    return this.names.length;
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
    const line = this.lines[index] ?? "";
    const start = (this.names[index] ?? "").length + 1;
    // `Name: value`, as nearly everybody writes it.
    const isPlain =
      line.charCodeAt(start) === 32 &&
      !isSpace(line.charCodeAt(start + 1)) &&
      !isSpace(line.charCodeAt(line.length - 1));
    return isPlain ? line.slice(start + 1) : trimSpace(line.slice(start));
  }

  /** Appends a field. Throws a TypeError for an invalid name or value. */
  add(name: string, value: string): void {
    const line = lineOf(name, value);
    this.names.push(name.toLowerCase());
    this.lines.push(line);
  }

  /** Replaces all fields of that name by one, in the place of the first. Throws as `add` does. */
  set(name: string, value: string): void {
    const lower = name.toLowerCase();
    const at = this.names.indexOf(lower);
    if (at < 0) {
      this.add(name, value);
      return;
    }
    this.lines[at] = lineOf(name, value);
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
    const list = new HeaderList();
    list.names = this.names.slice();
    list.lines = this.lines.slice();
    return list;
  }

  #removeFrom(lower: string, from: number): void {
    let kept = from;
    for (let i = from; i < this.names.length; i++) {
      if (this.names[i] === lower) continue;
      this.names[kept] = this.names[i] ?? "";
      this.lines[kept] = this.lines[i] ?? "";
      kept++;
    }
    this.names.length = kept;
    this.lines.length = kept;
  }
}

/** A list from pairs, for responses that the gateway makes itself. Throws as `add` does. */
export function headerList(pairs: Iterable<readonly [string, string]>): HeaderList {
  const list = new HeaderList();
  for (const [name, value] of pairs) list.add(name, value);
  return list;
}
