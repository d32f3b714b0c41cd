import { STATUS_CODES } from "node:http";
import { errorRow, type GatewayError, type ProblemFacts, problemBody } from "../errors.ts";
import type { Body, Exchange, ResponseHead } from "./exchange.ts";
import { grpcHead, isGrpc } from "./grpc.ts";
import { headerList } from "./header-list.ts";
import type { ListenerContext, Refusal } from "./listener-context.ts";
import type { OwnFields } from "./own-fields.ts";
import { httpDate } from "./response-text.ts";

const PROBLEM_TYPE = "application/problem+json";

/** The head of an error's response, without framing. */
export function problemHead(error: GatewayError): ResponseHead {
  const headers = headerList([
    ["Content-Type", PROBLEM_TYPE],
    ["Cache-Control", "no-store"],
  ]);
  if (error.retryAfter !== null) headers.add("Retry-After", String(error.retryAfter));
  return { status: error.status, reason: STATUS_CODES[error.status] ?? errorRow(error.code).title, headers };
}

export interface Refusing {
  readonly head: ResponseHead;
  readonly body: Body;
}

/** What an error is to the client of this exchange: a problem, or to a gRPC call a status without a body. */
export function refusalOf(exchange: Exchange, error: GatewayError): Refusing {
  if (isGrpc(exchange.headers)) return { head: grpcHead(error), body: null };
  return { head: problemHead(error), body: Buffer.from(problemBody(error, exchange)) };
}

/** A whole response that ends its connection, for what never became an exchange. */
export function refusalText(error: GatewayError, facts: ProblemFacts, own: OwnFields | null = null): string {
  const body = problemBody(error, facts);
  const head = problemHead(error);
  return (
    `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.headers.lines.join("\r\n")}\r\nDate: ${httpDate()}\r\n${own?.text ?? ""}` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}

/** Refuses what never became an exchange: the hooks hear of it, and the text that ends the connection is returned. */
export function refuseUnread(
  error: GatewayError,
  { hooks, name: listener, newId, own }: Pick<ListenerContext<never>, "hooks" | "name" | "newId" | "own">,
  from: Pick<Refusal, "client" | "line">,
): string {
  const id = newId();
  const text = refusalText(error, { id }, own);
  hooks.onRefused({ id, client: from.client, listener, error, line: from.line, bytesSent: text.length });
  return text;
}
