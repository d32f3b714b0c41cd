import type { LimitSpec, Limits, Verdict } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import type { RedisTarget } from "../../src/store/redis-target.ts";
import type { Store } from "../../src/store/store.ts";
import { eventually } from "../support/load.ts";
import { Meter } from "./world.ts";

/** So many a second that a test sees what is over it. */
export const SPEC: LimitSpec = {
  name: "api",
  algorithm: "token_bucket",
  limit: 100,
  perMs: 1000,
  burst: 50,
  onStoreError: "local",
};

/** Two gateways over one store. */
export interface Pair extends AsyncDisposable {
  readonly limits: readonly [Limits, Limits];
}

/** Two gateways that know of each other. */
export async function pairOver(config: RedisTarget): Promise<Pair> {
  const stores: Store[] = [];
  const make = (index: number) => {
    const store = createRedisStore({ config });
    stores.push(store);
    return createLimits({ store, gateway: `g${index}` });
  };
  const limits = [make(0), make(1)] as const;
  await eventually(() => limits.every((one) => one.state().share === 0.5), "two gateways that share", 5000);
  return {
    limits,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(limits.map((one) => one.close()));
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

/** Asks both as fast as so many a second, for so long, and measures; `during` may do harm meanwhile. */
export async function load(
  { limits }: Pair,
  ms: number,
  during: () => Promise<unknown> = async () => {},
): Promise<Meter> {
  const meter = new Meter(SPEC.limit / SPEC.perMs);
  const startedAt = performance.now();
  const open: Promise<unknown>[] = [during()];
  const note = ({ isAdmitted }: Verdict): void => {
    if (isAdmitted) meter.add(performance.now() - startedAt, 1);
  };
  while (performance.now() - startedAt < ms) {
    for (const one of limits) {
      const verdict = one.limiter(SPEC).take("key");
      if (verdict instanceof Promise) open.push(verdict.then(note));
      else note(verdict);
    }
    await Bun.sleep(3);
  }
  await Promise.all(open);
  return meter;
}
