import { createStaticRegistry } from "../../src/registry/static.ts";
import type { RetryPolicy, ServiceOptions } from "../../src/service/options.ts";
import type { HedgeResult, RetryResult } from "../../src/service/retry.ts";
import { createService, type Service } from "../../src/service/service.ts";
import type { BodySource } from "../../src/wire/body.ts";
import { serviceDeps, serviceOptions, spec } from "./support.ts";

/** A route's policy with these retries. */
export function retrying(policy: Partial<RetryPolicy> = {}) {
  const on = ["connect_failure", "reset", 502, 503, 504] as const;
  return {
    retry: {
      attempts: 2,
      on,
      backoffMs: 0,
      leastPauseMs: 0,
      budgetShare: 0.2,
      nonIdempotent: false,
      hedge: null,
      ...policy,
    },
  };
}

export interface Setup extends Disposable {
  readonly service: Service;
  readonly results: RetryResult[];
  readonly hedges: HedgeResult[];
  /** The pauses that were asked for, and what ends each. */
  readonly pauses: { readonly ms: number; readonly end: () => void; isOff: boolean }[];
}

/** A service at these URLs, whose balancer takes them in turn; chance is what is given. */
export async function serviceAt(
  urls: readonly string[],
  options: Partial<ServiceOptions> = {},
  chance = 0.5,
): Promise<Setup> {
  const registry = createStaticRegistry({ shop: urls.map((url, index) => spec(String(index), url)) });
  const results: RetryResult[] = [];
  const hedges: HedgeResult[] = [];
  const pauses: Setup["pauses"] = [];
  const service = createService("shop", serviceOptions(options), {
    ...serviceDeps(registry),
    random: () => chance,
    onRetry: (_, result) => results.push(result),
    onHedge: (_, result) => hedges.push(result),
    delay(ms, end) {
      const pause = { ms, end, isOff: false };
      pauses.push(pause);
      return () => {
        pause.isOff = true;
      };
    },
  });
  await service.ready;
  return { service, results, hedges, pauses, [Symbol.dispose]: () => service.close() };
}

/** A body that comes in these pieces at once. */
export function bodyOf(...pieces: readonly (string | Uint8Array)[]): BodySource {
  return {
    length: null,
    pipe(sink) {
      for (const piece of pieces) sink.write(Buffer.from(piece));
      sink.end(null);
    },
    pause() {},
    resume() {},
    cancel() {},
  };
}
