import { turn } from "../admin/json-text.ts";
import { routesOf } from "../admin/routes-view.ts";
import type { AdminSource } from "../admin/source.ts";
import type { ReadyState } from "../admin/status.ts";
import { statusOf } from "../admin/status-view.ts";
import type { Snapshot } from "../config/snapshot.ts";
import type { Loaded } from "../config/source.ts";
import type { Services } from "../service/services.ts";
import type { ServiceView } from "../service/view-schema.ts";
import type { Store } from "../store/store.ts";
import type { LimitsPart } from "./limits-part.ts";
import type { ListenerAddress } from "./listeners.ts";
import type { Mesh } from "./mesh.ts";

/** What this process knows of itself. */
export interface AdminSourceDeps {
  /** Of Torii. */
  readonly version: string;
  readonly readyState: () => ReadyState;
  /** What is in force; null before the first configuration. */
  readonly snapshot: () => Snapshot | null;
  /** What that was compiled from. */
  readonly loaded: () => Loaded | null;
  readonly addresses: () => ReadonlyMap<string, ListenerAddress>;
  readonly services: Pick<Services, "find">;
  readonly store: () => Pick<Store, "state"> | null;
  /** The registries in Redis. */
  readonly mesh: Pick<Mesh, "isUp" | "recalled">;
  readonly limits: Pick<LimitsPart, "view" | "ledger">;
}

/** After so many services others get a turn. */
const TURN_SERVICES = 20;

/** A gateway of one process, for the admin API. It must not be asked before the first configuration is live. */
export function createAdminSource(deps: AdminSourceDeps): AdminSource {
  const startedAt = Date.now();
  const loadedNow = (): Loaded => {
    const loaded = deps.loaded();
    if (loaded === null) throw new Error("no configuration is live yet");
    return loaded;
  };
  return {
    status() {
      const { isUp, recalled } = deps.mesh;
      return statusOf({
        version: deps.version,
        startedAt,
        ready: deps.readyState(),
        loaded: loadedNow(),
        configVersion: deps.snapshot()?.version ?? "",
        addresses: deps.addresses(),
        workers: [{ worker: 1, pid: process.pid, state: "serving" }],
        store: deps.store(),
        registries: isUp === null ? [] : [{ source: "redis", isUp, recalled }],
      });
    },
    routes: () => routesOf(loadedNow()),
    services: async (name) => [{ worker: 1, services: await servicesOf(name, deps) }],
    limits: async () => [{ worker: 1, limits: deps.limits.view() }],
    ledger: deps.limits.ledger,
  };
}

async function servicesOf(name: string | null, { snapshot, services }: AdminSourceDeps): Promise<ServiceView[]> {
  const configured = (snapshot()?.config.services ?? []).filter((one) => name === null || one.name === name);
  const views: ServiceView[] = [];
  for (const [at, one] of configured.entries()) {
    if (at > 0 && at % TURN_SERVICES === 0) await turn();
    const view = services.find(one.name, one.options)?.view();
    if (view !== undefined) views.push(view);
  }
  return views;
}
