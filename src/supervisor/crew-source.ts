import { turn } from "../admin/json-text.ts";
import { type LedgerAnswer, type LedgerAsk, ledgerAnswer } from "../admin/ledger-schema.ts";
import { limitsFacts } from "../admin/limits-schema.ts";
import { routesOf } from "../admin/routes-view.ts";
import { type StatusView, statusView } from "../admin/schemas.ts";
import type { AdminSource, WorkerLimits, WorkerServices } from "../admin/source.ts";
import type { ReadyState } from "../admin/status.ts";
import { statusOf } from "../admin/status-view.ts";
import type { Loaded } from "../config/source.ts";
import { type ServiceView, serviceView } from "../service/view-schema.ts";
import type { Store } from "../store/store.ts";
import type { Crew } from "./crew.ts";
import type { Slot } from "./slot.ts";
import type { Sockets } from "./sockets.ts";

/** Longer than a busy worker needs, shorter than one who asks waits. */
const ANSWER_MS = 2000;
/** After so many lines others get a turn. */
const TURN_LINES = 20;

export interface CrewSourceDeps {
  /** Of Torii. */
  readonly version: string;
  /** What is in force, and how many configurations were, with it. */
  readonly state: { readonly loaded: Loaded; readonly version: number };
  readonly readyState: () => ReadyState;
  readonly sockets: Pick<Sockets, "addresses">;
  readonly crew: Pick<Crew, "slots">;
  readonly store: () => Pick<Store, "state"> | null;
}

/** Several workers as one gateway, for the admin API. Who is gone or silent is waited for no longer than it helps. */
export function createCrewSource(deps: CrewSourceDeps): AdminSource {
  const { version, state, crew } = deps;
  const startedAt = Date.now();
  return {
    async status() {
      const registries = await registriesOf(deps);
      return statusOf({
        version,
        startedAt,
        ready: deps.readyState(),
        loaded: state.loaded,
        configVersion: String(state.version),
        addresses: deps.sockets.addresses(),
        workers: crew.slots.map(workerOf),
        store: deps.store(),
        registries,
      });
    },
    routes: () => routesOf(state.loaded),
    services: (name) => Promise.all(crew.slots.map((slot) => servicesOf(slot, name))),
    limits: () => Promise.all(crew.slots.map(limitsOf)),
    ledger: (ask) => ledgerOf(crew.slots, ask),
  };
}

function workerOf({ number, current, isAnswering, isTaking }: Slot): StatusView["workers"][number] {
  const state = current === null ? "missing" : !isAnswering ? "silent" : isTaking ? "serving" : "overloaded";
  return { worker: number, pid: current?.pid ?? null, state };
}

async function servicesOf({ number, current }: Slot, name: string | null): Promise<WorkerServices> {
  const text = (await current?.ask({ about: "services", name }, ANSWER_MS)) ?? null;
  return { worker: number, services: text === null ? null : await viewsOf(text) };
}

async function limitsOf({ number, current }: Slot): Promise<WorkerLimits> {
  const text = (await current?.ask({ about: "limits", name: null }, ANSWER_MS)) ?? null;
  if (text === null) return { worker: number, limits: "silent" };
  const [line = "null"] = linesOf(text);
  return { worker: number, limits: limitsFacts.nullable().parse(JSON.parse(line)) };
}

/** Longer than a worker waits for the store. */
const LEDGER_MS = 5000;

/** All share the store: one of them asks it. A change is tried by one only, as it may be made although nobody tells. */
async function ledgerOf(slots: readonly Slot[], ask: LedgerAsk): Promise<LedgerAnswer> {
  const able = slots.filter(({ current, isAnswering }) => current !== null && isAnswering);
  const asked = ask.change === null ? able : able.slice(0, 1);
  for (const { current } of asked) {
    const text = (await current?.ask({ about: "ledger", name: JSON.stringify(ask) }, LEDGER_MS)) ?? null;
    const [line] = linesOf(text ?? "");
    if (line !== undefined) return ledgerAnswer.parse(JSON.parse(line));
  }
  return { outcome: "silent" };
}

async function viewsOf(text: string): Promise<readonly ServiceView[]> {
  const views: ServiceView[] = [];
  for (const [at, line] of linesOf(text).entries()) {
    if (at > 0 && at % TURN_LINES === 0) await turn();
    views.push(serviceView.parse(JSON.parse(line)));
  }
  return views;
}

/** One that any worker cannot read is away. Nobody is asked where no service follows one. */
async function registriesOf({ state, crew }: CrewSourceDeps): Promise<StatusView["registries"]> {
  if (state.loaded.config.services.every(({ options }) => options.redis === undefined)) return [];
  const texts = await Promise.all(
    crew.slots.map(async ({ current }) => (await current?.ask({ about: "status", name: null }, ANSWER_MS)) ?? null),
  );
  const merged = new Map<string, StatusView["registries"][number]>();
  for (const line of texts.flatMap((text) => linesOf(text ?? "")))
    for (const { source, isUp, recalled } of statusView.parse(JSON.parse(line)).registries) {
      const known = merged.get(source) ?? { source, isUp, recalled };
      merged.set(source, { source, isUp: isUp && known.isUp, recalled: Math.max(recalled, known.recalled) });
    }
  return [...merged.values()];
}

function linesOf(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}
