import { resolve } from "node:path";
import { addFault, type Building } from "./building.ts";
import { below, placeOf, type Spot } from "./check.ts";
import type { GatewayDocument } from "./gateway-schema.ts";
import type { Config, LimitsConfig, ListenerConfig } from "./types.ts";
import { quote } from "./wording.ts";

function limitsConfig(limits: GatewayDocument["limits"]): LimitsConfig {
  return {
    headerBytes: limits.headerBytes,
    headerCount: limits.headerCount,
    uriBytes: limits.uriBytes,
    trailerBytes: limits.trailerBytes,
    bodyBytes: limits.bodyBytes ?? null,
    connections: limits.connections,
    connectionsPerClient: limits.connectionsPerClient ?? null,
    headerTimeoutMs: limits.headerTimeout,
    idleTimeoutMs: limits.idleTimeout,
  };
}

/** Listeners with their places; a name or a port that two of them have is a fault. */
function listenerConfigs(
  written: GatewayDocument,
  spot: Spot,
  building: Pick<Building, "issues">,
): readonly ListenerConfig[] {
  const names = new Map<string, number>();
  const sockets = new Map<string, string>();
  return written.listeners.map((listener, index) => {
    const at = below(spot, "listeners", index);
    const first = names.get(listener.name);
    if (first !== undefined) {
      addFault(
        building,
        below(at, "name"),
        `${quote(listener.name)} is the name of listener ${first} already; choose another`,
      );
    }
    names.set(listener.name, first ?? index);
    const socket = `${listener.address} ${listener.port}`;
    const other = listener.port === 0 ? undefined : sockets.get(socket);
    if (other !== undefined) {
      addFault(
        building,
        below(at, "port"),
        `${listener.port} is the port of listener "${other}" already; choose another`,
      );
    }
    sockets.set(socket, listener.name);
    return {
      ...listener,
      protocol: "http",
      tls: null,
      hasHttp2: true,
      hasHttp3: false,
      expectsProxyProtocol: false,
      httpsRedirectPort: null,
      hsts: null,
      source: placeOf(at),
    };
  });
}

function checkStatusPort(written: GatewayDocument, spot: Spot, building: Pick<Building, "issues">): void {
  const { port, address } = written.status;
  const clash = written.listeners.find(
    (listener) => port !== 0 && listener.port === port && listener.address === address,
  );
  if (clash === undefined) return;
  addFault(
    building,
    below(spot, "status", "port"),
    `${port} is the port of listener "${clash.name}" already; choose another`,
  );
}

/** All of a configuration that stands in `torii.yaml`; relative paths start from `folder`. */
export function gatewayConfig(
  written: GatewayDocument,
  spot: Spot,
  at: { readonly folder: string; readonly building: Pick<Building, "issues"> },
): Omit<Config, "routes" | "services"> {
  checkStatusPort(written, spot, at.building);
  const { accessLog } = written.telemetry;
  return {
    listeners: listenerConfigs(written, spot, at.building),
    pluginsFolder: written.plugins === undefined ? null : resolve(at.folder, written.plugins),
    trustedProxies: written.trustedProxies,
    limits: limitsConfig(written.limits),
    overload: { memoryBytes: null, lagMs: null },
    redis: null,
    workers: 1,
    status: written.status,
    accessLog: {
      isEnabled: accessLog.enabled,
      path: accessLog.path === undefined ? null : resolve(at.folder, accessLog.path),
    },
    shutdown: { delayMs: written.shutdown.delay, timeoutMs: written.shutdown.timeout },
  };
}
