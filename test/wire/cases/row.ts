/** What the service behind the gateway must have seen of the first request. */
export interface Saw {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly body?: string;
  readonly header?: readonly [name: string, value: string];
  /** Paths of all requests, in order. */
  readonly paths?: readonly string[];
}

interface Common {
  /** Exact number of final answers when the request is served; 1 unless it says otherwise. */
  readonly answers?: number;
  readonly saw?: Saw;
  /** The hidden request must not be served, nor anything after the first answer. */
  readonly hides?: true;
  /** A status that must not come at all. */
  readonly not?: number;
  /** The connection must be closed afterwards. */
  readonly closes?: true;
  /** So much was sent that the close may overtake the answer. */
  readonly mayLoseAnswer?: true;
}

export type Expectation = Common &
  (
    | { readonly verdict: "served" }
    | { readonly verdict: "refused"; readonly statuses: readonly number[] }
    /** Both are right; each in its own way must be done well. Without statuses any refusal will do. */
    | { readonly verdict: "either"; readonly statuses?: readonly number[] }
    /** No answer until the rest has come; then it is served. Without a rest, only the silence is looked at. */
    | { readonly verdict: "waits"; readonly rest?: string; readonly statuses?: readonly number[] }
  );

export interface Row {
  /** A sentence: the name of the test. */
  readonly name: string;
  /** RFC and section. */
  readonly rfc: string;
  /** Latin-1: one character, one octet. */
  readonly bytes: string;
  readonly expect: Expectation;
  readonly pace?: "bytewise";
  /** The client ends its sending side after the bytes. */
  readonly halfCloses?: true;
}

export const HOST = "Host: gw.test";

/** Lines with their ends and the empty line. */
export function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** GET /ok with further field lines. */
export function get(...fields: readonly string[]): string {
  return head("GET /ok HTTP/1.1", HOST, ...fields);
}

/** A GET for another target. */
export function getTarget(target: string): string {
  return head(`GET ${target} HTTP/1.1`, HOST);
}

/** POST /ok with field lines and whatever follows the head. */
export function post(fields: readonly string[], rest = ""): string {
  return head("POST /ok HTTP/1.1", HOST, ...fields) + rest;
}

/** POST /ok in chunked coding; `rest` is what stands after the head. */
export function chunked(rest: string): string {
  return post(["Transfer-Encoding: chunked"], rest);
}

/** The request that must never be served, and its length. */
export const HIDDEN = getTarget("/smuggled");

/** An empty chunked body, which is five octets. */
export const EMPTY_CHUNKS = "0\r\n\r\n";

/** `hello` as one chunk, and the end. */
export const HELLO_CHUNKS = "5\r\nhello\r\n0\r\n\r\n";

type More = Common;

export const served = (more: More = {}): Expectation => ({ verdict: "served", ...more });
export const refused = (statuses: readonly number[] = [400], more: More = {}): Expectation => ({
  verdict: "refused",
  statuses,
  closes: true,
  ...more,
});
/** Refused because of its path, which leaves the connection usable. */
export const refusedPath = (): Expectation => ({ verdict: "refused", statuses: [400] });
export const either = (statuses?: readonly number[], more: More = {}): Expectation => ({
  verdict: "either",
  ...(statuses && { statuses }),
  ...more,
});
export const waits = (rest?: string): Expectation => ({ verdict: "waits", ...(rest !== undefined && { rest }) });
