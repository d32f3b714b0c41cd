import type { CompiledPassthrough } from "../config/passthrough.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { GatewayError } from "../errors.ts";
import type { AccessEntry } from "../telemetry/access-line.ts";
import type { AccessLog } from "../telemetry/access-log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Passage, PassageHooks } from "../wire/l4/passage.ts";

export interface PassagePathDeps {
  readonly metrics: Pick<Metrics, "counter" | "gauge">;
  /** The configuration in force. */
  readonly current: () => Snapshot | null;
  /** Null for none. */
  readonly accessLog: () => AccessLog | null;
}

/** What happens to a connection that is passed on as it is: its route, and its line and counts at the end. */
export function createPassagePath({ metrics, current, accessLog }: PassagePathDeps): PassageHooks {
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
  return {
    onPassage(passage) {
      open.add(1);
      const route = routeOf(passage, current());
      if (route === null) passage.refuse(new GatewayError("route_not_found", "No route takes this connection."));
      else route.serve(passage);
    },
    onPassageDone(passage) {
      open.add(-1);
      passage.observer?.passageDone(passage);
      const route = passage.route ?? "";
      total.of(route, passage.error?.code ?? "ok").add();
      bytes.of(route, "received").add(passage.bytesReceived);
      bytes.of(route, "sent").add(passage.bytesSent);
      accessLog()?.log(entryOf(passage));
    },
  };
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
  };
}
