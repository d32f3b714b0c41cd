/** Name and value of each entry of the static table, from index 1 on (RFC 7541 Appendix A). */
const STATIC_ENTRIES = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split("\n");

/** By index; there is no index 0. */
export const STATIC_NAMES: readonly string[] = STATIC_ENTRIES.map((entry) => entry.split(" ", 1)[0] ?? "");
/** By index; "" where the table has only a name. */
export const STATIC_VALUES: readonly string[] = STATIC_ENTRIES.map((entry) => entry.replace(/^\S* ?/, ""));
/** The highest index of the static table; the dynamic one follows. */
export const STATIC_COUNT = 61;

/** What an entry takes beyond its name and value (RFC 7541 4.1), and a field in a list's size (RFC 9113 6.5.2). */
export const ENTRY_OVERHEAD_BYTES = 32;
/** The size of a table before anything was agreed (RFC 9113 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096;

const FIRST_CAPACITY = 16;

/** The dynamic table of a decoder (RFC 7541 2.3.2): the newest entry is number 0. Never over `maxBytes`. */
export class DynamicTable {
  count = 0;
  bytes = 0;
  /** Another number after every change. */
  generation = 0;
  #maxBytes: number;
  // A ring; its length is a power of two.
  #names: string[] = new Array<string>(FIRST_CAPACITY).fill("");
  #values: string[] = new Array<string>(FIRST_CAPACITY).fill("");
  #mask = FIRST_CAPACITY - 1;
  /** The place of the newest entry. */
  #newest = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The name of an entry that exists. */
  name(number: number): string {
    return this.#names[(this.#newest - number) & this.#mask] ?? "";
  }

  /** The value of an entry that exists. */
  value(number: number): string {
    return this.#values[(this.#newest - number) & this.#mask] ?? "";
  }

  /** Adds an entry, which may drive out all others; one over the whole table only empties it (RFC 7541 4.4). */
  add(name: string, value: string): void {
    this.generation++;
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evict(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    if (this.count > this.#mask) this.#grow();
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.count++;
    this.bytes += bytes;
  }

  resize(maxBytes: number): void {
    this.generation++;
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(bytes: number): void {
    while (this.bytes > bytes && this.count > 0) {
      const oldest = (this.#newest - this.count + 1) & this.#mask;
      this.bytes -= (this.#names[oldest] ?? "").length + (this.#values[oldest] ?? "").length + ENTRY_OVERHEAD_BYTES;
      this.#names[oldest] = "";
      this.#values[oldest] = "";
      this.count--;
    }
  }

  #grow(): void {
    const order = Array.from({ length: this.count }, (_, place) => this.count - 1 - place);
    const rest = new Array<string>(this.count).fill("");
    this.#names = [...order.map((number) => this.name(number)), ...rest];
    this.#values = [...order.map((number) => this.value(number)), ...rest];
    this.#newest = this.count - 1;
    this.#mask = 2 * this.count - 1;
  }
}
