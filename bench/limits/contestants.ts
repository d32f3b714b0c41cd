import { Redis } from "ioredis";
import { RateLimiterMemory, RateLimiterRedis } from "rate-limiter-flexible";
import type { LimitSpec } from "../../src/limit/limit.ts";
import { createLimits } from "../../src/limit/limits.ts";
import { createRedisStore } from "../../src/store/redis.ts";
import { createScriptLimiter } from "./script-limiter.ts";

/** A limiter under a name, connected. `close` it. */
export interface Contestant {
  readonly name: string;
  /** Whether it was admitted. */
  take(key: string): boolean | Promise<boolean>;
  close(): Promise<void>;
}

/** What a contestant is made for. */
export interface Setting {
  readonly url: string;
  readonly spec: LimitSpec;
}

async function leases({ url, spec }: Setting): Promise<Contestant> {
  const store = createRedisStore({ config: { url } });
  const limits = createLimits({ store, gateway: crypto.randomUUID() });
  const limiter = limits.limiter(spec);
  while (limits.state().gateways === 0) await Bun.sleep(10);
  return {
    name: "leases",
    take: (key) => {
      const verdict = limiter.take(key);
      return verdict instanceof Promise ? verdict.then(({ isAdmitted }) => isAdmitted) : verdict.isAdmitted;
    },
    close: async () => {
      await limits.close();
      await store.close();
    },
  };
}

async function script({ url, spec }: Setting): Promise<Contestant> {
  const store = createRedisStore({ config: { url } });
  return { name: "a script for each request", take: createScriptLimiter(store, spec), close: () => store.close() };
}

type Extras = "plain" | "pipelined" | "insured" | "blocking";

const NAMES: Readonly<Record<Extras, string>> = {
  plain: "rate-limiter-flexible",
  pipelined: "… with enableAutoPipelining",
  insured: "… with insuranceLimiter",
  blocking: "… with inMemoryBlockOnConsumed",
};

function admits(limiter: RateLimiterRedis | RateLimiterMemory): Contestant["take"] {
  // Whoever is refused gets a rejection that is no Error; an Error is a fault.
  const refused = (reason: unknown): boolean => {
    if (reason instanceof Error) throw reason;
    return false;
  };
  return (key) => limiter.consume(key).then(() => true, refused);
}

function flexible(extras: Extras): (setting: Setting) => Promise<Contestant> {
  return async ({ url, spec }) => {
    const storeClient = new Redis(url, { enableAutoPipelining: extras === "pipelined" });
    const window = { points: spec.limit, duration: spec.perMs / 1000 };
    const limiter = new RateLimiterRedis({
      storeClient,
      keyPrefix: spec.name,
      ...window,
      ...(extras === "insured" ? { insuranceLimiter: new RateLimiterMemory(window) } : {}),
      ...(extras === "blocking" ? { inMemoryBlockOnConsumed: spec.limit } : {}),
    });
    return { name: NAMES[extras], take: admits(limiter), close: async () => storeClient.disconnect() };
  };
}

async function memory({ spec }: Setting): Promise<Contestant> {
  const limiter = new RateLimiterMemory({ points: spec.limit, duration: spec.perMs / 1000 });
  return { name: "its memory limiter, one process", take: admits(limiter), close: async () => {} };
}

/** All that are compared, Torii first. */
export const CONTESTANTS: readonly ((setting: Setting) => Promise<Contestant>)[] = [
  leases,
  script,
  flexible("plain"),
  flexible("pipelined"),
  flexible("insured"),
  flexible("blocking"),
  memory,
];
