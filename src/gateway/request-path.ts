import type { Logger } from "pino";
import type { Snapshot } from "../config/snapshot.ts";
import { GatewayError, toGatewayError } from "../errors.ts";
import type { AccessLog } from "../telemetry/access-log.ts";
import type { Slot } from "../telemetry/histogram.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Exchange } from "../wire/exchange.ts";
import { isLoop } from "../wire/forwarding.ts";
import { headerList } from "../wire/header-list.ts";
import type { ListenerHooks, Refusal } from "../wire/listener-context.ts";
import { type HostGuard, hostGuard } from "./host-guard.ts";
import { httpsRedirects, isChallenge, redirectToHttps } from "./https-redirect.ts";
import { createPassagePath } from "./passage-path.ts";
import type { Shedder } from "./shedder.ts";

/** What happens to a request between the wire and its route, and after its last byte. */
export interface RequestPath {
  readonly hooks: ListenerHooks;
  /** Null for none; set once, before the first request. */
  accessLog: AccessLog | null;
  /** The configuration in force, or null before the first. */
  readonly current: Snapshot | null;
  /** Puts a configuration in force for requests to come; returns the one before. */
  swap(snapshot: Snapshot): Snapshot | null;
}

export interface RequestPathDeps {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly shedder: Shedder;
}

/** What requests read of a configuration, and what they are shed by. */
interface Live {
  readonly snapshot: Snapshot;
  /** Ports of `https` by the names of listeners that only redirect to them; null where none does. */
  readonly redirects: ReadonlyMap<string, number> | null;
  /** Null where no listeners share a socket. */
  readonly isMisdirected: HostGuard | null;
  readonly shedder: Shedder;
}

/** The request path. Owns the one variable that a reload changes. */
export function createRequestPath({ metrics, log, shedder }: RequestPathDeps): RequestPath {
  let current: Live | null = null;
  let accessLog: AccessLog | null = null;
  const { events } = metrics;
  const unrouted = metrics.routeSlot(null);

  const hooks: ListenerHooks = {
    ...createPassagePath({ metrics, current: () => current?.snapshot ?? null, accessLog: () => accessLog }),
    onRequest(exchange) {
      events.exchangeStarted();
      try {
        if (exchange.error !== null) throw exchange.error;
        route(exchange, current);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code === "internal") log.error({ err: thrown, requestId: exchange.id }, "request failed");
        exchange.refuse(error);
      }
    },
    onDone(exchange) {
      events.exchangeEnded();
      const { error } = exchange;
      // Whatever was sent before: what counts is that the client did not stay for the whole of it.
      if (error?.code === "client_closed") exchange.status = error.status;
      if (error?.code === "internal") log.error({ err: error.cause, requestId: exchange.id }, "request failed");
      endOf(exchange, log);
      if (exchange.observer === null) observeUnrouted(exchange, unrouted);
      else exchange.observer.exchangeDone(exchange);
      if (accessLog !== null) accessLog.log(entryOf(exchange));
    },
    onRefused(refusal) {
      events.requestRefused(refusal.error.code);
      unrouted.observe(methodOf(refusal), refusal.error.status, 0);
      accessLog?.log(refusedEntry(refusal));
    },
    onConnection(event) {
      if (event === "opened") events.connectionOpened();
      else if (event === "closed") events.connectionClosed();
      else events.connectionRefused(event);
    },
    onHandshake: events.handshakeEnded,
  };

  return {
    hooks,
    get accessLog() {
      return accessLog;
    },
    set accessLog(log) {
      accessLog = log;
    },
    get current() {
      return current?.snapshot ?? null;
    },
    swap(snapshot) {
      const before = current;
      const { listeners } = snapshot.config;
      current = { snapshot, redirects: httpsRedirects(listeners), isMisdirected: hostGuard(listeners), shedder };
      return before?.snapshot ?? null;
    },
  };
}

function route(exchange: Exchange, live: Live | null): void {
  if (live === null) throw new GatewayError("overloaded", "The gateway is starting.", { retryAfter: 1 });
  if (live.isMisdirected?.(exchange)) {
    throw new GatewayError("misdirected_request", "This connection is not for that host: open another.");
  }
  if (live.redirects !== null && redirects(exchange, live)) return;
  if (exchange.method === "OPTIONS" && answersOptions(exchange)) return;
  if (isLoop(exchange.headers)) throw new GatewayError("loop_detected", "The request goes round in a circle.");
  const found = find(exchange, live.snapshot);
  if (found === null) throw new GatewayError("route_not_found", "No route takes this request.");
  const { target } = found;
  const { shedder } = live;
  if (exchange.startedAt >= shedder.dueAt) shedder.look();
  if (shedder.level > 0 && shedder.sheds(target.priority)) {
    const retryAfter = shedder.retryAfter();
    target.refuse(exchange, new GatewayError("overloaded", "The gateway has too much to do.", { retryAfter }));
    return;
  }
  exchange.prefix = found.prefix;
  exchange.params = found.params;
  target.serve(exchange);
}

function find(exchange: Exchange, { serves, index }: Snapshot) {
  return serves(exchange.listener, exchange.host) ? index.find(exchange) : null;
}

/** Sends the client to https where its listener only does that; true when it did. */
function redirects(exchange: Exchange, { redirects: ports, snapshot }: Live): boolean {
  const port = ports?.get(exchange.listener);
  if (port === undefined || exchange.target === "*") return false;
  if (isChallenge(exchange) && find(exchange, snapshot) !== null) return false;
  redirectToHttps(exchange, port);
  return true;
}

/** OPTIONS to the gateway itself, and one whose Max-Forwards ends here, are not forwarded (RFC 9110 7.6.2, 9.3.7). */
function answersOptions(exchange: Exchange): boolean {
  const { headers } = exchange;
  const forwards = headers.first("max-forwards");
  if (exchange.target === "*" || forwards === "0") {
    exchange.respond({ status: 204, reason: "No Content", headers: headerList([]) }, null);
    return true;
  }
  if (forwards !== null && /^\d{1,9}$/.test(forwards)) headers.set("Max-Forwards", String(Number(forwards) - 1));
  return false;
}

/** Plugins may wait for it: what they throw must not keep it from anybody else. */
function endOf(exchange: Exchange, log: Logger): void {
  try {
    exchange.ended();
  } catch (error) {
    log.error({ err: error, requestId: exchange.id }, "a plugin failed after the response");
  }
}

function observeUnrouted(exchange: Exchange, slot: Slot): void {
  slot.observe(exchange.method, exchange.status, (exchange.endedAt - exchange.startedAt) / 1000);
}

function entryOf(exchange: Exchange) {
  const { forwardedAt, respondedAt } = exchange;
  return {
    at: Date.now(),
    id: exchange.id,
    traceId: null,
    client: exchange.client.address,
    tls: exchange.client.tls,
    method: exchange.method,
    host: exchange.host,
    target: exchange.target,
    protocol: exchange.protocol,
    route: exchange.route,
    service: exchange.service,
    endpoint: exchange.endpoint,
    status: exchange.status,
    bytesReceived: exchange.bytesReceived,
    bytesSent: exchange.bytesSent,
    durationMs: exchange.endedAt - exchange.startedAt,
    upstreamMs: forwardedAt > 0 ? (respondedAt > 0 ? respondedAt : exchange.endedAt) - forwardedAt : null,
    attempts: exchange.attempts,
    error: exchange.error?.code ?? null,
    decisions: exchange.decisions,
  };
}

/** Method, target and protocol of a request line, each as far as it came. */
const LINE = /^([!-~]*)(?: ([!-~\x80-\xff]*))?(?: (HTTP\/\d\.\d)$)?/;

function methodOf({ line }: Refusal): string {
  return LINE.exec(line)?.[1] ?? "";
}

function refusedEntry({ id, client, error, line, bytesSent }: Refusal) {
  const [, method = "", target = "", protocol = ""] = LINE.exec(line) ?? [];
  return {
    at: Date.now(),
    id,
    traceId: null,
    client: client.address,
    tls: client.tls,
    method,
    host: "",
    target,
    protocol,
    route: null,
    service: null,
    endpoint: null,
    status: error.status,
    bytesReceived: 0,
    bytesSent,
    durationMs: 0,
    upstreamMs: null,
    attempts: 0,
    error: error.code,
    decisions: null,
  };
}
