import { STATUS_CODES } from "node:http";
import { toGatewayError } from "../errors.ts";
import { enter, leave } from "./event.ts";
import type { Body, Exchange, ResponseHead } from "./exchange.ts";
import { bodyOf, lazyBodyOf } from "./fetch-body.ts";
import { asLight } from "./fetch-response.ts";
import { type HeaderList, headerList } from "./header-list.ts";

/**
 * Answers an exchange with any response. Light ones and bodies that nobody read go to the wire as they are; small
 * bodies at hand are sent whole; other streams are pumped with back-pressure, and an error in one breaks the
 * response off. Never rejects: what cannot be sent becomes the error's problem. Null: it was sent within the call.
 */
export function sendResponse(exchange: Exchange, response: Response): Promise<void> | null {
  const light = asLight(response);
  if (light === null) return sendReal(exchange, response);
  try {
    respond(exchange, light.head, light.take());
  } catch (thrown) {
    exchange.refuse(toGatewayError(thrown));
  }
  return null;
}

async function sendReal(exchange: Exchange, response: Response): Promise<void> {
  try {
    const headers = headerList(response.headers);
    const body = await realBody(response, headers);
    respond(exchange, { status: response.status, reason: reasonOf(response), headers }, body);
  } catch (thrown) {
    exchange.refuse(toGatewayError(thrown));
  }
}

/** Hono makes responses without a reason phrase; clients' logs are kinder to read with the status's own. */
function reasonOf({ status, statusText }: Response): string {
  return statusText === "" ? (STATUS_CODES[status] ?? "") : statusText;
}

/** Plugins answer outside of any socket's event: without these bounds head and body would be two system calls. */
function respond(exchange: Exchange, head: ResponseHead, body: Body): void {
  enter();
  try {
    exchange.respond(head, body);
  } finally {
    leave();
  }
}

const IS_UTF8 = new TextDecoder("utf-8", { fatal: true });

function isText(bytes: Uint8Array): boolean {
  try {
    IS_UTF8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

async function realBody(response: Response, headers: HeaderList): Promise<Body> {
  if (response.bodyUsed) throw new TypeError("a plugin answered with a response whose body was read already");
  const stream = response.body;
  if (stream === null) return null;
  const lazy = lazyBodyOf(stream);
  if (lazy?.isUntouched) return lazy.take();
  const body = await bodyOf(stream);
  // Fetch gives a string's response this type; Bun leaves it to its own server.
  if (body instanceof Uint8Array && !headers.has("content-type") && isText(body)) {
    headers.add("Content-Type", "text/plain;charset=UTF-8");
  }
  return body;
}
