import { type ProxySetup, startProxy, type TestGateway } from "../support.ts";
import type { RequestMessage, ResponseMessage } from "./message.ts";
import { PeerError, type PeerState } from "./peer.ts";
import { ok, startUpstream, type Upstream, type UpstreamConnection } from "./upstream.ts";

export interface ForwardSetup extends ProxySetup {
  /** What the service sends for each whole request; `ok()` by default. An ending follows the bytes. */
  readonly answer?: string | Uint8Array;
  readonly ends?: "close" | "reset";
  /** Method of the request, when it is not GET. */
  readonly method?: string;
  /** Final responses to wait for; 1 by default. */
  readonly answers?: number;
}

/** What a request through the gateway came to, seen from both ends. */
export interface Forwarded {
  /** All whole responses, 1xx included. */
  readonly responses: readonly ResponseMessage[];
  /** The first final one; throws when there is none. */
  readonly response: ResponseMessage;
  /** What there is of a response that did not become whole. */
  readonly partial: ResponseMessage | null;
  /** How the client's connection stands a moment later. */
  readonly state: PeerState;
  /** What the service received, in order. */
  readonly requests: readonly RequestMessage[];
  /** The first of them; throws when the service was not reached. */
  readonly request: RequestMessage;
  readonly upstream: Upstream;
}

const SETTLE_MS = 60;

async function answerAll(connection: UpstreamConnection, { answer = ok(), ends }: ForwardSetup): Promise<void> {
  for (;;) {
    await connection.request(600_000);
    await connection.send(answer);
    if (ends === "close") connection.peer.close();
    if (ends === "reset") connection.peer.reset();
  }
}

async function collect(
  gateway: TestGateway,
  bytes: string,
  setup: ForwardSetup,
): Promise<Pick<Forwarded, "responses" | "partial" | "state">> {
  using client = await gateway.connect();
  await client.send(bytes);
  const responses: ResponseMessage[] = [];
  let missing = setup.answers ?? 1;
  while (missing > 0) {
    const isFirst = responses.every(({ status }) => status < 200);
    const { message, state } = await client.outcome(isFirst ? (setup.method ?? "GET") : "GET");
    if (!message?.isComplete) return { responses, partial: message, state };
    responses.push(message);
    if (message.status >= 200) missing--;
  }
  await client.staysQuiet(SETTLE_MS);
  if (client.peer.received.length > 0)
    throw new PeerError(`more than was asked for: ${client.peer.text.slice(0, 200)}`);
  return { responses, partial: null, state: client.peer.state };
}

function first<T>(items: readonly T[], what: string): T {
  const [item] = items;
  if (item === undefined) throw new Error(`there is no ${what}`);
  return item;
}

/** Sends bytes through a gateway to a service that answers as told. Everything is closed before it returns. */
export async function forward(bytes: string, setup: ForwardSetup = {}): Promise<Forwarded> {
  await using upstream = startUpstream((connection) => answerAll(connection, setup));
  await using gateway = await startProxy(upstream.url, setup);
  const collected = await collect(gateway, bytes, setup);
  return {
    ...collected,
    get response() {
      return first(
        collected.responses.filter(({ status }) => status >= 200),
        "response",
      );
    },
    requests: upstream.requests,
    get request() {
      return first(upstream.requests, "request at the service");
    },
    upstream,
  };
}

/** A GET of /r with further field lines. */
export function get(...fields: readonly string[]): string {
  return request("GET /r", ...fields);
}

/** A request without body; `line` is method and target. */
export function request(line: string, ...fields: readonly string[]): string {
  return [`${line} HTTP/1.1`, "Host: gw.test", ...fields, "", ""].join("\r\n");
}

/** A response without body, or with what follows the head. */
export function answer(status: string, fields: readonly string[], rest = ""): string {
  return [`HTTP/1.1 ${status}`, ...fields, "", rest].join("\r\n");
}
