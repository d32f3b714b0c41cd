import { serviceDetail } from "../../src/admin/schemas.ts";
import type { EndpointView, ServiceView } from "../../src/service/view-schema.ts";
import { bearer, VIEWER } from "../admin/support.ts";
import { startReady, type Workers } from "../supervisor/support.ts";
import { type EndpointProcess, startEndpoint } from "./endpoint-process.ts";
import { PAGE } from "./fault-endpoint.ts";
import { eventually } from "./load.ts";
import { type PacedLoad, startPacedLoad } from "./paced-load.ts";
import { type RedisProcess, startRedis } from "./redis.ts";
import { closedPort } from "./unreachable.ts";

/** How the gateway finds endpoints that are ill. */
export const DETECTION = {
  healthCheck: { path: "/healthz", interval: "250ms", timeout: "400ms", healthyAfter: 2, unhealthyAfter: 2 },
  outlierDetection: { consecutiveFailures: 3, interval: "1s", ejectFor: "2s", maxEjected: "90%" },
} as const;

/**
 * How long that takes at most, from the fault to the last request that goes to who has it: two checks that are late,
 * and the pauses before them, each a tenth longer than written; each of the four timers is up to 100 ms late.
 */
export const WINDOW_MS = 2 * (250 * 1.1 + 400) + 4 * 100;

const ON = ["connect_failure", "reset", "timeout", 500, 502, 503, 504];
const retry = { on: ON, backoff: "10ms", perTryTimeout: "500ms" };

/** Each route is `/NAME`, to the same service. */
export const RETRIES = {
  /** With five endpoints ill, the sixth attempt meets one that is well; the budget is the default. */
  some: { ...retry, attempts: 5 },
  most: { ...retry, attempts: 10, budget: "100%" },
  hedged: { ...retry, attempts: 5, budget: "100%", hedge: { after: "100ms", max: 2 } },
} as const;

const SERVICE = {
  ...DETECTION,
  timeouts: { connect: "300ms" },
  loadBalancing: { panicThreshold: "10%" },
};

const ROUTES = {
  services: { shop: SERVICE },
  routes: Object.entries(RETRIES).map(([name, policy]) => ({
    name,
    matches: [{ path: `/${name}` }],
    timeout: "15s",
    retry: policy,
    backends: [{ service: "shop" }],
  })),
};

/** Endpoints in processes of their own, which a Redis knows. */
export interface FaultMesh extends AsyncDisposable {
  readonly redis: RedisProcess;
  readonly endpoints: readonly EndpointProcess[];
}

async function register(redis: RedisProcess, endpoints: readonly EndpointProcess[]): Promise<void> {
  const leaseAt = String(Date.now() + 3_600_000);
  const entries = endpoints.flatMap(({ id, port }) => [id, JSON.stringify({ url: `http://127.0.0.1:${port}` })]);
  await redis.cli("SADD", "torii:mesh:services", "shop");
  await redis.cli("HSET", "torii:mesh:{shop}:endpoints", ...entries);
  await redis.cli("ZADD", "torii:mesh:{shop}:leases", ...endpoints.flatMap(({ id }) => [leaseAt, id]));
  await redis.cli("PUBLISH", "torii:mesh:changes", "shop");
}

/** So many endpoints, `e00` and on, in a Redis of their own. */
export async function startFaultMesh(count: number): Promise<FaultMesh> {
  const redis = await startRedis();
  const ids = Array.from({ length: count }, (_, index) => `e${String(index).padStart(2, "0")}`);
  const endpoints = await Promise.all(ids.map(startEndpoint));
  await register(redis, endpoints);
  return {
    redis,
    endpoints,
    async [Symbol.asyncDispose]() {
      await Promise.all(endpoints.map((endpoint) => endpoint[Symbol.asyncDispose]()));
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** A gateway process (or several) in front of such a mesh. */
export interface FaultGateway extends AsyncDisposable {
  readonly gateway: Workers;
  view(): Promise<ServiceView>;
  /** A load on one of the routes, under way. */
  load(route: keyof typeof RETRIES, perSecond: number): Promise<PacedLoad>;
  /** Waits until no worker uses any of them. */
  out(ids: readonly string[]): Promise<void>;
  /** Waits until all workers use all of them, and find them well. */
  back(ids: readonly string[]): Promise<void>;
}

function hasBack(view: ServiceView, ids: readonly string[], workers: number): boolean {
  const isBack = ({ absences, health }: EndpointView) => absences.length === 0 && health?.passing === workers;
  return ids.every((id) => view.endpoints.some((endpoint) => endpoint.id === id && isBack(endpoint)));
}

export async function startFaultGateway({ redis, endpoints }: FaultMesh, workers: number): Promise<FaultGateway> {
  const adminPort = closedPort();
  const gateway = await startReady({
    workers,
    torii: {
      redis: redis.url,
      admin: { port: adminPort, tokens: [{ name: "eye", token: VIEWER, role: "viewer" }] },
      telemetry: { accessLog: { enabled: false } },
    },
    files: { "routes/main.ts": `export default ${JSON.stringify(ROUTES)};` },
  });
  const url = `http://127.0.0.1:${adminPort}/v1/services/shop`;
  const view = async () => serviceDetail.parse(await (await fetch(url, { headers: bearer(VIEWER) })).json()).service;
  const back = (ids: readonly string[]) =>
    eventually(async () => hasBack(await view(), ids, workers), `${ids.join(", ")} to be used`, 30_000);
  await back(endpoints.map(({ id }) => id));
  return {
    gateway,
    view,
    back,
    async load(route, perSecond) {
      const load = startPacedLoad({ to: { port: gateway.port }, path: `/${route}`, perSecond, page: PAGE });
      // The budget of retries is a share of what came before.
      await eventually(() => load.samples.length > perSecond, "some load", 30_000);
      return load;
    },
    async out(ids) {
      const waiting = new Set(ids);
      const none = async () => {
        for (const { id, isUsed } of (await view()).endpoints) if (!isUsed) waiting.delete(id);
        return waiting.size === 0;
      };
      await eventually(none, `${ids.join(", ")} to be out`, 20_000);
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}
