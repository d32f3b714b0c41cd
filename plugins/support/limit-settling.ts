import type { PluginContext } from "../../src/plugin.ts";
import type { Cost } from "./limit-cost.ts";
import { isRefusedFurtherIn } from "./limit-refusal.ts";

/** A limit whose counts can be corrected. */
interface Correctable<Told> {
  charge(key: string, cost: number): void;
  refund(key: string, cost: number, verdict: Told): void;
}

/** What was taken for a request. */
export interface Taken<Told> {
  readonly limit: Correctable<Told>;
  readonly key: string;
  readonly cost: number;
  readonly verdict: Told;
  /** False for who was refused, or let pass although nothing was taken. */
  readonly isCounted: boolean;
  isRefunded: boolean;
}

/** Takes what a request cost beyond what was taken before, or gives the rest back. */
function settle<Told>({ limit, key, cost: before, verdict }: Taken<Told>, cost: number): void {
  if (cost > before) limit.charge(key, cost - before);
  else if (cost < before) limit.refund(key, before - cost, verdict);
}

/** Has what a cost says when all is over settled then, unless all was given back by then. */
export function settleAtEnd<Told>({ afterEnd }: Cost, taken: Taken<Told>, context: PluginContext): void {
  if (afterEnd === null || !taken.isCounted) return;
  context.env.whenDone((end) => {
    if (!taken.isRefunded) settle(taken, afterEnd(end));
  });
}

/** Once the response is there: gives all back where something further in refused, else settles what its head says. */
export function settleAtHead<Told>({ afterHead }: Cost, taken: Taken<Told>, context: PluginContext): void {
  if (context.error !== undefined && isRefusedFurtherIn(context)) {
    taken.isRefunded = true;
    if (taken.isCounted) taken.limit.refund(taken.key, taken.cost, taken.verdict);
  } else if (afterHead !== null) {
    const cost = afterHead(context);
    if (cost !== null && taken.isCounted) settle(taken, cost);
  }
}
