import type { ErrorCode } from "../errors.ts";
import type { CounterFamily, FamilyOptions, GaugeFamily } from "./family.ts";

/** Why a connection was not taken. */
export type ConnectionRefusal =
  | "limit"
  | "client_limit"
  | "proxy_untrusted"
  | "proxy_malformed"
  | "proxy_timeout"
  | "tls_plain_http"
  | "tls_malformed"
  | "tls_unrecognized_name"
  | "tls_timeout";

/** How a TLS handshake ended; without a version it failed. */
export interface HandshakeFacts {
  readonly listener: string;
  readonly version: string | null;
  readonly result: string;
}

/** What happens in the gateway and is counted; each call is one addition. */
export interface GatewayEvents {
  connectionOpened(): void;
  connectionClosed(): void;
  connectionRefused(reason: ConnectionRefusal): void;
  handshakeEnded(handshake: HandshakeFacts): void;
  /** A request that was refused before it became an exchange. */
  requestRefused(code: ErrorCode): void;
  exchangeStarted(): void;
  exchangeEnded(): void;
  /** A configuration was taken (the first one too), or refused while the old one stays. */
  configReloaded(result: "success" | "failure"): void;
  accessLogDropped(lines: number): void;
}

interface Families {
  counter(options: FamilyOptions): CounterFamily;
  gauge(options: FamilyOptions): GaugeFamily;
}

function connectionEvents({ counter, gauge }: Families) {
  const open = gauge({ name: "torii_connections_open", help: "Client connections that are open." }).of();
  const total = counter({ name: "torii_connections_total", help: "Client connections that were taken." }).of();
  const refused = counter({
    name: "torii_connections_refused_total",
    help: "Client connections that were closed at once, by reason.",
    labels: ["reason"],
  });
  const handshakes = counter({
    name: "torii_tls_handshakes_total",
    help: "TLS handshakes with clients: full and resumed, or why they failed.",
    labels: ["listener", "version", "result"],
  });
  return {
    handshakeEnded: ({ listener, version, result }: HandshakeFacts) =>
      handshakes.of(listener, version ?? "", result).add(),
    connectionOpened: () => {
      open.add(1);
      total.add();
    },
    connectionClosed: () => open.add(-1),
    connectionRefused: (reason: ConnectionRefusal) => refused.of(reason).add(),
  };
}

function requestEvents({ counter, gauge }: Families) {
  const inFlight = gauge({ name: "torii_exchanges_in_flight", help: "Requests that are not answered whole." }).of();
  const refused = counter({
    name: "torii_requests_refused_total",
    help: "Requests that were refused before they reached a route, by error code.",
    labels: ["reason"],
  });
  const dropped = counter({
    name: "torii_access_log_dropped_total",
    help: "Access log lines that were dropped because their reader was slow or gone.",
  }).of();
  return {
    requestRefused: (code: ErrorCode) => refused.of(code).add(),
    exchangeStarted: () => inFlight.add(1),
    exchangeEnded: () => inFlight.add(-1),
    accessLogDropped: (lines: number) => dropped.add(lines),
  };
}

function configEvents({ counter, gauge }: Families, now: () => number) {
  const successful = gauge({
    name: "torii_config_last_reload_successful",
    help: "1 when the last configuration read was taken, 0 when it was refused.",
  }).of();
  const reloadedAt = gauge({
    name: "torii_config_last_reload_timestamp_seconds",
    help: "When a configuration was last taken, in seconds since 1970.",
  }).of();
  const reloads = counter({
    name: "torii_config_reloads_total",
    help: "Configurations that were read, by result.",
    labels: ["result"],
  });
  const results = { success: reloads.of("success"), failure: reloads.of("failure") };
  return {
    configReloaded: (result: "success" | "failure") => {
      results[result].add();
      successful.set(result === "success" ? 1 : 0);
      if (result === "success") reloadedAt.set(now() / 1000);
    },
  };
}

/** Registers the gateway's own families. `now` tells milliseconds since 1970. */
export function createGatewayEvents(families: Families, now: () => number): GatewayEvents {
  return { ...connectionEvents(families), ...requestEvents(families), ...configEvents(families, now) };
}
