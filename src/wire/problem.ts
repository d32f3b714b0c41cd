import { STATUS_CODES } from "node:http";
import { errorRow, type GatewayError, type ProblemFacts, problemBody } from "../errors.ts";
import type { ResponseHead } from "./exchange.ts";
import { headerList } from "./header-list.ts";
import { httpDate } from "./response-text.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** The head of an error's response, without framing. */
export function problemHead(error: GatewayError): ResponseHead {
  const headers = headerList([
    ["Content-Type", PROBLEM_TYPE],
    ["Cache-Control", "no-store"],
  ]);
  if (error.retryAfter !== null) headers.add("Retry-After", String(error.retryAfter));
  return { status: error.status, reason: STATUS_CODES[error.status] ?? errorRow(error.code).title, headers };
}

/** A whole response that ends its connection, for what never became an exchange. */
export function refusalText(error: GatewayError, facts: ProblemFacts): string {
  const body = problemBody(error, facts);
  const head = problemHead(error);
  return (
    `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.headers.lines.join("\r\n")}\r\nDate: ${httpDate()}\r\n` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}
