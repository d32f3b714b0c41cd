import type { Exchange, ResponseHead } from "./exchange.ts";
import { parseLength } from "./fields.ts";
import { HeaderList } from "./header-list.ts";
import type { OwnFields } from "./own-fields.ts";
import { isBodiless } from "./parse-response.ts";

/** The interim response that asks for the body (RFC 9110 15.2.1). */
export const CONTINUE: ResponseHead = { status: 100, reason: "Continue", headers: new HeaderList() };

/** How the body of a response is framed for the client. */
export type Delimiter = "none" | "length" | "chunked" | "close";

export interface ResponseFraming {
  readonly delimiter: Delimiter;
  /** For `length`, and for HEAD where it is known. */
  readonly length: number | null;
  readonly keepsAlive: boolean;
  /** Fields that the listener puts into every response; none unless given. */
  readonly own?: OwnFields | null;
}

/** Response fields that concern one connection only, and the framing, which each connection writes itself. */
export const DROPPED_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "te",
  "transfer-encoding",
  "upgrade",
  "content-length",
]);

/** Decides the framing of a response; `length` is the body's, null when unknown. */
export function responseDelimiter(exchange: Exchange, status: number, length: number | null): Delimiter {
  if (isBodiless(status, exchange.method)) return "none";
  if (length !== null) return "length";
  return exchange.minor === 1 ? "chunked" : "close";
}

/** The head of a final response: fields in order and case without those of the connection, then framing and Date. */
export function responseText(exchange: Exchange, head: ResponseHead, framing: ResponseFraming): string {
  const { headers } = head;
  const fields = fieldsText(head, framing.own);
  const date = headers.names.includes("date") ? "" : `Date: ${httpDate()}\r\n`;
  const framed = framingText(exchange, head.status, framing);
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${fields}${date}${framed}\r\n`;
}

function fieldsText({ headers }: ResponseHead, own: OwnFields | null | undefined): string {
  if (own === undefined || own === null) return headers.textWithout(DROPPED_FIELDS);
  return headers.textWithout(own.without(DROPPED_FIELDS)) + own.text;
}

function framingText(exchange: Exchange, status: number, framing: ResponseFraming): string {
  let text = "";
  if (framing.delimiter === "chunked") text = "Transfer-Encoding: chunked\r\n";
  else if (framing.length !== null && status !== 204 && status >= 200) text = `Content-Length: ${framing.length}\r\n`;
  if (!framing.keepsAlive) return `${text}Connection: close\r\n`;
  return exchange.minor === 0 ? `${text}Connection: keep-alive\r\n` : text;
}

/** The head of an interim response, or of a 101 with its Connection and Upgrade and the listener's own fields. */
export function interimText(head: ResponseHead, own: OwnFields | null = null): string {
  const { headers, reason, status } = head;
  if (status !== 101) return `HTTP/1.1 ${status} ${reason}\r\n${headers.textWithout(DROPPED_FIELDS)}\r\n`;
  const fields = fieldsText(head, own);
  return `HTTP/1.1 101 ${reason}\r\n${fields}Upgrade: ${headers.get("upgrade") ?? ""}\r\nConnection: Upgrade\r\n\r\n`;
}

let dateSecond = 0;
let dateText = "";

/** The current time as an IMF-fixdate (RFC 9110 5.6.7), made once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** The length that a response to HEAD, or a 304, tells of the body that it does not have (RFC 9110 8.6), or null. */
export function toldLength(head: ResponseHead): number | null {
  const told = head.headers.first("content-length");
  const length = told === null ? -1 : parseLength(told);
  return length < 0 ? null : length;
}
