import type { ServiceView } from "../service/view-schema.ts";
import type { LedgerAnswer, LedgerAsk } from "./ledger-schema.ts";
import type { LimitsView } from "./limits-schema.ts";
import type { RoutesView, StatusView } from "./schemas.ts";

/** What one worker knows of services. */
export interface WorkerServices {
  /** The number of its slot; 1 in a gateway of one process. */
  readonly worker: number;
  /** Null: it did not answer in time. */
  readonly services: readonly ServiceView[] | null;
}

/** What one worker knows of limits. */
export interface WorkerLimits {
  readonly worker: number;
  /** Null: its configuration has none. `silent`: it did not answer in time. */
  readonly limits: LimitsView | null | "silent";
}

/** What the admin API tells about: a gateway in this process, or several processes as one. */
export interface AdminSource {
  status(): StatusView | Promise<StatusView>;
  /** Of the configuration in force, without secrets. */
  routes(): RoutesView;
  /** All services of the configuration in force, or the one of that name: none where there is no such. */
  services(name: string | null): Promise<readonly WorkerServices[]>;
  limits(): Promise<readonly WorkerLimits[]>;
  /** Reads or corrects what a quota counts. */
  ledger(ask: LedgerAsk): Promise<LedgerAnswer>;
}
