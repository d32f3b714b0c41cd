import type { CompiledPassthrough } from "../config/passthrough.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { GatewayError } from "../errors.ts";
import type { AccessEntry } from "../telemetry/access-line.ts";
import type { AccessLog } from "../telemetry/access-log.ts";
import type { Counter } from "../telemetry/family.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Passage, PassageHooks, PassageObserver } from "../wire/l4/passage.ts";

export interface PassagePathDeps {
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** The configuration in force. */
  readonly current: () => Snapshot | null;
  /** Null for none. */
  readonly accessLog: () => AccessLog | null;
}

/** What happens to a connection that is passed on as it is: its route, and its line and counts at the end. */
export function createPassagePath({ metrics, current, accessLog }: PassagePathDeps): PassageHooks {
  const counts = passageCounts(metrics);
  return {
    onPassage(passage) {
      counts.open.add(1);
      const route = routeOf(passage, current());
      if (route === null) passage.refuse(new GatewayError("route_not_found", "No route takes this connection."));
      else route.serve(passage);
    },
    onPassageDone(passage) {
      counts.open.add(-1);
      passage.observer?.passageDone(passage);
      const { ended, received, sent } = counts.of(passage);
      ended(passage.error?.code ?? "ok").add();
      received.add(passage.bytesReceived);
      sent.add(passage.bytesSent);
      accessLog()?.log(entryOf(passage));
    },
  };
}

interface RouteCounts {
  readonly ended: (result: string) => Counter;
  readonly received: Counter;
  readonly sent: Counter;
}

function passageCounts(metrics: PassagePathDeps["metrics"]) {
  const open = metrics
    .gauge({ name: "torii_passthrough_connections_open", help: "Client connections that are passed on as they are." })
    .of();
  const total = metrics.counter({
    name: "torii_passthrough_connections_total",
    help: "Client connections that were passed on or should have been, by how they ended.",
    labels: ["route", "result"],
  });
  const bytes = metrics.counter({
    name: "torii_passthrough_bytes_total",
    help: "Bytes that were passed on, from clients (received) and to them (sent).",
    labels: ["route", "direction"],
  });
  // Series of the routes in force: looking one up costs more than all else at a connection's end.
  const known = new WeakMap<PassageObserver, RouteCounts>();

  function make(route: string): RouteCounts {
    const results = new Map<string, Counter>();
    const ended = (result: string) => {
      const counter = results.get(result) ?? total.of(route, result);
      results.set(result, counter);
      return counter;
    };
    return { ended, received: bytes.of(route, "received"), sent: bytes.of(route, "sent") };
  }

  function of({ observer, route }: Passage): RouteCounts {
    if (observer === null) return make(route ?? "");
    const counts = known.get(observer) ?? make(route ?? "");
    known.set(observer, counts);
    return counts;
  }

  return { open, of };
}

function routeOf({ protocol, listener, sni }: Passage, snapshot: Snapshot | null): CompiledPassthrough | null {
  if (snapshot === null) return null;
  // Hostnames of a listener are names that clients ask for, where they can ask.
  const isServed = protocol === "tcp" || snapshot.serves(listener, sni ?? "");
  return isServed ? snapshot.passthrough(listener, sni) : null;
}

function entryOf(passage: Passage): AccessEntry {
  const { startedAt, joinedAt, endedAt } = passage;
  return {
    at: Date.now(),
    id: passage.id,
    traceId: null,
    client: passage.client.address,
    tls: null,
    method: "",
    host: passage.sni ?? "",
    target: "",
    protocol: passage.protocol,
    route: passage.route,
    service: passage.service,
    endpoint: passage.endpoint,
    status: 0,
    bytesReceived: passage.bytesReceived,
    bytesSent: passage.bytesSent,
    durationMs: endedAt - startedAt,
    upstreamMs: joinedAt > 0 ? joinedAt - startedAt : null,
    attempts: passage.attempts,
    error: passage.error?.code ?? null,
    decisions: passage.decisions,
  };
}
