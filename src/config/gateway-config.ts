import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { adminConfig } from "./admin-config.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { Gateway } from "./gateway-document.ts";
import type { GatewayDocument } from "./gateway-schema.ts";
import { listenerConfigs } from "./listener-config.ts";
import { overloadConfig } from "./overload-config.ts";
import { stateFolder } from "./state-folder.ts";
import type { TlsReading } from "./tls-config.ts";
import type { Config, LimitsConfig } from "./types.ts";
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
    bodyMinRate: limits.bodyMinRate ?? null,
  };
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

/** How many processes serve. What they share stands in Redis, so that more than one needs it. */
function workersOf(gateway: Gateway, redis: Config["redis"], building: Pick<Building, "issues">): number {
  const { workers } = gateway.document;
  const isShared = redis !== null || !gateway.knows("redis");
  if (workers !== 1 && !isShared) {
    const message = `${quote(workers)} needs redis, as workers share their state through it; set redis, or write 1`;
    addFault(building, below(gateway.spot, "workers"), message);
  }
  return workers === "auto" ? availableParallelism() : workers;
}

/** Only trusted proxies may send the header: without any, every connection would be closed. */
function checkProxyProtocol(gateway: Gateway, building: Pick<Building, "issues">): void {
  const { listeners, trustedProxies } = gateway.document;
  if (trustedProxies.length > 0 || !gateway.knows("trustedProxies")) return;
  for (const [index, { proxyProtocol }] of listeners.entries()) {
    if (!proxyProtocol) continue;
    const message = "needs trustedProxies, as only they may send the header; list there who does, or remove it";
    addFault(building, below(gateway.spot, "listeners", index, "proxyProtocol"), message);
  }
}

/** All of a configuration that stands in `torii.yaml`; relative paths start from `folder`. */
export async function gatewayConfig(
  gateway: Gateway,
  at: {
    readonly folder: string;
    readonly reading: TlsReading;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): Promise<Omit<Config, "routes" | "services">> {
  const { document: written, spot } = gateway;
  const building = at.reading.vetting;
  checkStatusPort(written, spot, building);
  checkProxyProtocol(gateway, building);
  const { accessLog } = written.telemetry;
  const { redis } = at.reading.stored;
  return {
    listeners: await listenerConfigs(written.listeners, below(spot, "listeners"), at.reading),
    pluginsFolder: written.plugins === undefined ? null : resolve(at.folder, written.plugins),
    trustedProxies: written.trustedProxies,
    limits: limitsConfig(written.limits),
    overload: overloadConfig(written.overload, below(spot, "overload"), building),
    redis,
    zone: at.reading.zone,
    stateFolder: stateFolder(written.state, at),
    workers: workersOf(gateway, redis, building),
    admin: adminConfig(gateway, building),
    status: written.status,
    accessLog: {
      isEnabled: accessLog.enabled,
      path: accessLog.path === undefined ? null : resolve(at.folder, accessLog.path),
    },
    shutdown: { delayMs: written.shutdown.delay, timeoutMs: written.shutdown.timeout },
  };
}
