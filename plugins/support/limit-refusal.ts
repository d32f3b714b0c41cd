import { GatewayError } from "../../src/errors.ts";
import type { PluginContext } from "../../src/plugin.ts";
import { secondsOf } from "./limit-fields.ts";

/** What refuses a request at a limit; `Infinity`: it never would be let in, null: nobody knows when. */
export function refusalOf(name: string, retryAfterMs: number | null): GatewayError {
  const isHopeless = retryAfterMs === Number.POSITIVE_INFINITY;
  const detail = isHopeless
    ? `The request costs more than the limit ${name} ever allows at once.`
    : `The limit ${name} is reached.`;
  const wait = isHopeless ? {} : { retryAfter: retryAfterMs === null ? 1 : Math.max(1, secondsOf(retryAfterMs)) };
  return new GatewayError("rate_limited", detail, { ...wait, violatedPolicies: [name] });
}

/** Whether another limit, further in, refused what this one had let pass. */
export function isRefusedFurtherIn({ error }: PluginContext): boolean {
  return error instanceof GatewayError && error.violatedPolicies !== null;
}
