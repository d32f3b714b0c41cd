import type { AdminSource, WorkerServices } from "../../src/admin/source.ts";
import { hashedToken } from "../../src/config/admin-config.ts";
import type { AdminToken } from "../../src/config/types.ts";
import type { EndpointView, ServiceView } from "../../src/service/view-schema.ts";

export const EDITOR = "0f3b9a1c5d7e2846bb01";
export const VIEWER = "77e6f30a9b1c5d2e4801";

export const TOKENS: readonly AdminToken[] = [
  { name: "ops", role: "editor", hashedToken: hashedToken(EDITOR) },
  { name: "eye", role: "viewer", hashedToken: hashedToken(VIEWER) },
];

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

export function endpointView(view: Partial<EndpointView> = {}): EndpointView {
  return {
    ...{ id: "a", url: "http://10.0.0.1:80", weight: 1, zone: null, version: null, tags: [], load: null },
    ...{
      isUsed: true,
      isSpare: false,
      health: null,
      absences: [],
      inFlight: 0,
      connections: { open: 0, idle: 0, passages: 0 },
    },
    ...view,
  };
}

export function serviceView(view: Partial<ServiceView> = {}): ServiceView {
  return {
    name: "shop",
    registry: {
      ...{ source: "static", changedAt: "2026-01-01T00:00:00.000Z", changes: 0 },
      ...{ isRecalled: false, failure: null },
    },
    policy: "round_robin",
    isPanic: false,
    zoneShare: null,
    subsets: [],
    endpoints: [endpointView()],
    breaker: null,
    concurrency: null,
    totals: { ejections: 0, breakerOpens: 0, retries: {}, hedges: {} },
    ...view,
  };
}

/** A gateway of two workers that is as it is told. */
export function sourceOf(services: readonly WorkerServices[]): AdminSource {
  return {
    status: () => ({
      version: "1.2.3",
      startedAt: "2026-01-01T00:00:00.000Z",
      uptimeSeconds: 7,
      zone: null,
      isReady: true,
      reasons: [],
      config: { version: "1", loadedAt: "2026-01-01T00:00:00.000Z", routes: 0, services: 1 },
      listeners: [{ name: "http", protocol: "http", address: "0.0.0.0", port: 8080, hostnames: [] }],
      workers: [{ worker: 1, pid: 12, state: "serving" }],
      store: { kind: "embedded", state: "ready" },
      registries: [],
    }),
    routes: () => ({ routes: [] }),
    limits: async () => services.map(({ worker }) => ({ worker, limits: null })),
    ledger: async () => ({ outcome: "no_quota" }),
    services: async (name) =>
      services.map(({ worker, services: views }) => ({
        worker,
        services: views?.filter((view) => name === null || view.name === name) ?? null,
      })),
  };
}
