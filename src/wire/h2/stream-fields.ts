import { FieldBlock, fieldName, HeaderList, isFieldValue } from "../header-list.ts";
import type { FieldSink } from "./hpack-decoder.ts";

/** The fields of a section but for the pseudo-header fields. Sections that say the same share one of these. */
export class RegularFields {
  /** Names and values as they came, cookie crumbs apart. Never changed. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** What was made of them by the one who reads them, for the next section that says the same. */
  made: object | null = null;
  #block: FieldBlock | null = null;

  constructor(names: readonly string[], values: readonly string[]) {
    this.names = names;
    this.values = values;
  }

  /** As lines of a text, made once. */
  get block(): FieldBlock {
    this.#block ??= blockOf(this.names, this.values);
    return this.#block;
  }

  /** A list of its own for each who asks. */
  list(): HeaderList {
    return this.names.length === 0 ? new HeaderList() : new HeaderList(this.block);
  }
}

/** Fields as lines of one text, in order. The names and values must be valid. */
export function blockOf(names: readonly string[], values: readonly string[]): FieldBlock {
  const lines = names.map((name, i) => `${name}: ${values[i]}`);
  const block = new FieldBlock(lines.join("\r\n"));
  let at = 0;
  lines.forEach((line, i) => {
    block.names.push(names[i] ?? "");
    block.starts.push(at);
    at += line.length + 2;
  });
  return block;
}

/** A field section as it came: what HEADERS with its CONTINUATIONs said. Shared by equal ones: never changed. */
export class FieldSection {
  method: string | null = null;
  scheme: string | null = null;
  path: string | null = null;
  authority: string | null = null;
  protocol: string | null = null;
  /** 0 without. */
  status = 0;
  regular: RegularFields = NO_FIELDS;
  /** Why it is malformed whatever it stands for (RFC 9113 8.1.1), or null. */
  fault: string | null = null;
  /** True when it is over the bound of a list: what is behind the bound is not here. */
  isTooLarge = false;
  /** What was made of it by the one who reads it, for when the very same comes again. */
  made: object | null = null;

  /** Why it cannot begin a request, or null. */
  get requestFault(): string | null {
    if (this.fault !== null) return this.fault;
    if (this.status !== 0) return "A request has a :status.";
    if (this.method === null) return "There is no :method.";
    if (this.protocol !== null && this.method !== "CONNECT") return "A :protocol is for CONNECT only.";
    if (this.method === "CONNECT" && this.protocol === null) {
      return this.scheme === null && this.path === null && this.authority !== null
        ? null
        : "A CONNECT has a :scheme or :path, or no :authority.";
    }
    if (this.scheme === null) return "There is no :scheme.";
    return this.path === null || this.path === "" ? "There is no :path." : null;
  }

  /** Why it cannot begin a response, or null. */
  get responseFault(): string | null {
    if (this.fault !== null) return this.fault;
    if (this.#hasRequestFields) return "A response has pseudo-header fields of a request.";
    return this.status === 0 ? "There is no :status." : null;
  }

  /** Why it cannot stand behind a body, or null. */
  get trailersFault(): string | null {
    if (this.fault !== null) return this.fault;
    return this.#hasRequestFields || this.status !== 0 ? "Trailers have a pseudo-header field." : null;
  }

  get #hasRequestFields(): boolean {
    const { method, scheme, path, authority, protocol } = this;
    return method !== null || scheme !== null || path !== null || authority !== null || protocol !== null;
  }
}

const NO_FIELDS = new RegularFields([], []);

// RFC 9113 8.2.2; `te` may say "trailers" and nothing else.
const OF_CONNECTION = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);
const COLON = 58;
const STATUS = /^[1-9]\d\d$/;

/** Makes sections of what the decoder gives. Whether they make sense for a request or a response is asked later. */
export class FieldCollector implements FieldSink {
  #section = new FieldSection();
  #last: RegularFields = NO_FIELDS;
  /** So many fields were the same as in the section before; -1 once one was not. */
  #repeated = 0;
  #names: string[] = [];
  #values: string[] = [];

  field(name: string, value: string): void {
    if (name.charCodeAt(0) === COLON) {
      this.#pseudo(name, value);
      return;
    }
    const at = this.#repeated;
    if (at >= 0) {
      if (this.#last.names[at] === name && this.#last.values[at] === value) {
        this.#repeated++;
        return;
      }
      this.#diverge();
    }
    this.#section.fault ??= faultOf(name, value);
    this.#names.push(name);
    this.#values.push(value);
  }

  /** The section whose fields came since the last call. `isWhole`: it was within the bound of a list. */
  take(isWhole: boolean): FieldSection {
    const section = this.#section;
    if (this.#repeated >= 0 && this.#repeated < this.#last.names.length) this.#diverge();
    if (this.#repeated >= 0) section.regular = this.#last;
    else {
      section.regular = new RegularFields(this.#names, this.#values);
      this.#names = [];
      this.#values = [];
      if (section.fault === null && isWhole) this.#last = section.regular;
    }
    section.isTooLarge = !isWhole;
    this.#section = new FieldSection();
    this.#repeated = 0;
    return section;
  }

  #diverge(): void {
    this.#names = this.#last.names.slice(0, this.#repeated);
    this.#values = this.#last.values.slice(0, this.#repeated);
    this.#repeated = -1;
  }

  #pseudo(name: string, value: string): void {
    const section = this.#section;
    if (this.#repeated !== 0) section.fault ??= "A pseudo-header field stands behind another field.";
    if (!isFieldValue(value)) section.fault ??= "A pseudo-header field has an invalid value.";
    switch (name) {
      case ":method":
        this.#once(section.method);
        section.method = value;
        break;
      case ":path":
        this.#once(section.path);
        section.path = value;
        break;
      case ":scheme":
        this.#once(section.scheme);
        section.scheme = value;
        break;
      case ":authority":
        this.#once(section.authority);
        section.authority = value;
        break;
      case ":protocol":
        this.#once(section.protocol);
        section.protocol = value;
        break;
      case ":status":
        this.#once(section.status === 0 ? null : "");
        if (!STATUS.test(value)) section.fault ??= "The :status is not a status.";
        section.status = Number(value);
        break;
      default:
        section.fault ??= "There is an unknown pseudo-header field.";
    }
  }

  #once(before: string | null): void {
    if (before !== null) this.#section.fault ??= "A pseudo-header field stands twice.";
  }
}

function faultOf(name: string, value: string): string | null {
  if (fieldName(name) !== name) return "A field's name is no token in lower case.";
  if (!isFieldValue(value) || hasOuterSpace(value)) return "A field's value holds what it may not.";
  if (OF_CONNECTION.has(name)) return "There is a field of the connection.";
  if (name === "te" && value !== "trailers") return "TE says something else than trailers.";
  return null;
}

/** Space around a value belongs to HTTP/1.1's syntax (RFC 9113 8.2.1). */
function hasOuterSpace(value: string): boolean {
  return isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1));
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}
