import type { GatewayError } from "../src/errors.ts";
import {
  type CountDecision,
  definePlugin,
  type Limiter,
  type PluginContext,
  type PluginDeps,
  type Verdict,
} from "../src/plugin.ts";
import { type Cost, costReader } from "./support/limit-cost.ts";
import { limitedKeyReader } from "./support/limit-exempt.ts";
import { fieldsWriter, type WriteFields } from "./support/limit-fields.ts";
import { type KeySource, keySource } from "./support/limit-key.ts";
import { burstOf, type RateLimitOptions, rateLimitOptions, type Tier } from "./support/limit-options.ts";
import { isKnown, outcomeOf, refusalOf } from "./support/limit-refusal.ts";
import { settleAtEnd, settleAtHead, type Taken } from "./support/limit-settling.ts";

/** A limit with its numbers: the base, or a tier. */
interface Level {
  /** For metrics and the log. */
  readonly name: string;
  /** For clients: which tier they are in is not theirs to know. */
  readonly shown: string;
  readonly limiter: Limiter;
  readonly count: CountDecision;
  readonly write: WriteFields | null;
}

/** All that a use of the plugin decides by. */
interface Plan {
  readonly isShadow: boolean;
  /** Null: the request is exempt. */
  readonly key: (context: PluginContext) => string | null;
  readonly cost: Cost;
  readonly base: Level;
  readonly tierOf: ((context: PluginContext) => Level | undefined) | null;
}

type Next = () => Promise<void>;

function levelOf(options: RateLimitOptions, deps: PluginDeps, tier: { name: string; numbers: Tier } | null): Level {
  const name = options.name ?? deps.route;
  const full = tier === null ? name : `${name}:${tier.name}`;
  const { limit, per = options.per, burst } = tier?.numbers ?? options;
  const { algorithm, onStoreError, by, cost, headers: form } = options;
  const spec = { name: full, algorithm, limit, perMs: per, burst: burstOf({ algorithm, limit, burst }), onStoreError };
  const countsBytes = typeof cost === "object" && "bytes" in cost && cost.unit === 1;
  return {
    name: full,
    shown: name,
    limiter: deps.limits.limiter(spec, typeof by === "string" ? by : "a function"),
    count: deps.limits.counter(full),
    write: deps.isShadow ? null : fieldsWriter({ name, limit, perMs: per, countsBytes, form }),
  };
}

function tiersOf(options: RateLimitOptions, deps: PluginDeps): Plan["tierOf"] {
  if (options.tiers === undefined) return null;
  const { by, ...named } = options.tiers;
  const source: KeySource = typeof by === "string" ? keySource(by) : by;
  const levels = new Map<string, Level>();
  for (const [name, numbers] of Object.entries(named)) levels.set(name, levelOf(options, deps, { name, numbers }));
  return (context) => {
    const tier = source(context);
    return levels.get(String(tier));
  };
}

function planOf(options: RateLimitOptions, deps: PluginDeps): Plan {
  const base = levelOf(options, deps, null);
  return {
    isShadow: deps.isShadow,
    key: limitedKeyReader(options, base.count),
    cost: costReader(options.cost),
    base,
    tierOf: tiersOf(options, deps),
  };
}

interface Asked {
  readonly level: Level;
  readonly key: string;
  readonly cost: number;
  readonly context: PluginContext;
  readonly next: Next;
}

/** Lets a request pass, or throws what refuses it. Waits for nothing that the request has no need of. */
function decide(plan: Plan, verdict: Verdict, { level, key, cost, context, next }: Asked): Promise<void> {
  const { count, name, limiter: limit } = level;
  if (!verdict.isAdmitted) {
    if (!plan.isShadow) throw refusal(level, verdict, context);
    const outcome = outcomeOf(verdict, true);
    count(outcome, verdict.mode);
    context.env.decided("rate_limit", outcome, name);
  } else {
    count("admitted", verdict.mode);
    if (verdict.mode === "allowed") context.env.decided("rate_limit", "unchecked", name);
  }
  const isCounted = verdict.isAdmitted && verdict.mode !== "allowed";
  const taken: Taken<Verdict> = { limit, key, cost, verdict, isCounted, isRefunded: false };
  settleAtEnd(plan.cost, taken, context);
  return next().then(() => {
    settleAtHead(plan.cost, taken, context);
    // Who was not counted is told nothing.
    if (isKnown(verdict)) level.write?.(context, verdict);
  });
}

function refusal(level: Level, verdict: Verdict, context: PluginContext): GatewayError {
  const outcome = outcomeOf(verdict, false);
  level.count(outcome, verdict.mode);
  context.env.decided("rate_limit", outcome, level.name);
  if (isKnown(verdict)) level.write?.(context, verdict);
  return refusalOf(level.shown, verdict);
}

/** Limits how much may come for each key: requests, or whatever they cost, over all gateways together. */
export default definePlugin({
  name: "rate-limit",
  options: rateLimitOptions,
  knowsShadow: true,
  create: (options, deps) => {
    const plan = planOf(options, deps);
    return (context, next) => {
      const key = plan.key(context);
      if (key === null) return next();
      const level = plan.tierOf?.(context) ?? plan.base;
      const cost = plan.cost.before(context);
      if (cost === 0) return next();
      const asked = { level, key, cost, context, next };
      const verdict = level.limiter.take(key, cost);
      if (!(verdict instanceof Promise)) return decide(plan, verdict, asked);
      return verdict.then((told) => decide(plan, told, asked));
    };
  },
});
