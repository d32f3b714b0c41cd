import type { Bench } from "./fleet.ts";
import type { LoadSpec } from "./load.ts";
import type { ProxySpec } from "./proxies/proxy.ts";
import type { ScenarioHead, ScenarioReport } from "./report.ts";

/** The same load on several contestants in alternating rounds. */
export interface LoadScenario extends ScenarioHead {
  readonly kind: "load";
  readonly contestants: readonly ProxySpec[];
  /** Name of the contestant that the ratios refer to. */
  readonly baseline: string;
  readonly load: LoadSpec;
  /** Size of the body that a right answer has. */
  readonly answerBytes: number;
  /** Starts a backend of its own and returns its port; null: the one of all. */
  readonly startBackend: ((bench: Bench) => Promise<number>) | null;
  /** What it needs besides wrk, or null. */
  readonly tool: { readonly program: string; readonly install: string } | null;
}

/** Has a procedure of its own. */
export interface SpecialScenario extends ScenarioHead {
  readonly kind: "special";
  readonly run: (bench: Bench, head: ScenarioHead) => Promise<ScenarioReport>;
}

export type Scenario = LoadScenario | SpecialScenario;
