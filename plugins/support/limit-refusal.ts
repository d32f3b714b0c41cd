import { GatewayError } from "../../src/errors.ts";
import type { LimitMode, LimitOutcome, PluginContext } from "../../src/plugin.ts";
import { secondsOf } from "./limit-fields.ts";

/** A verdict that refuses. */
export interface Refused {
  readonly mode: LimitMode;
  /** `Infinity`: it never would be let in, null: nobody knows when. */
  readonly retryAfterMs: number | null;
}

/** False where the store cannot be asked: what a verdict tells of what is left is then made up. */
export function isKnown({ mode }: Pick<Refused, "mode">): boolean {
  return mode !== "allowed" && mode !== "denied";
}

/** What a refusal is called in metrics and in the log. */
export function outcomeOf({ mode }: Pick<Refused, "mode">, isShadow: boolean): LimitOutcome {
  if (mode === "denied") return isShadow ? "shadow_store_away" : "store_away";
  return isShadow ? "shadow_refused" : "refused";
}

function detailOf(name: string, { mode, retryAfterMs }: Refused): string {
  if (mode === "denied") return `The limit ${name} cannot be checked: what counts it does not answer.`;
  if (retryAfterMs === Number.POSITIVE_INFINITY) {
    return `The request costs more than the limit ${name} ever allows at once.`;
  }
  return `The limit ${name} is reached.`;
}

/** What refuses a request at a limit. */
export function refusalOf(name: string, refused: Refused): GatewayError {
  const { retryAfterMs, mode } = refused;
  const isHopeless = retryAfterMs === Number.POSITIVE_INFINITY;
  const wait = isHopeless ? {} : { retryAfter: retryAfterMs === null ? 1 : Math.max(1, secondsOf(retryAfterMs)) };
  const options = { ...wait, violatedPolicies: [name], isUncounted: mode === "denied" };
  return new GatewayError("rate_limited", detailOf(name, refused), options);
}

/** Whether another limit, further in, refused what this one had let pass. */
export function isRefusedFurtherIn({ error }: PluginContext): boolean {
  return error instanceof GatewayError && error.violatedPolicies !== null;
}
