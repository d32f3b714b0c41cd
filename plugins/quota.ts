import {
  type CountDecision,
  definePlugin,
  type PluginContext,
  type PluginDeps,
  type Quota,
  type QuotaVerdict,
  type QuotaWindow,
} from "../src/plugin.ts";
import { type Cost, costReader } from "./support/limit-cost.ts";
import { limitedKeyReader } from "./support/limit-exempt.ts";
import { fieldsWriter, type WriteFields } from "./support/limit-fields.ts";
import { keyOfTexts } from "./support/limit-key-text.ts";
import { isKnown, outcomeOf, refusalOf } from "./support/limit-refusal.ts";
import { settleAtEnd, settleAtHead, type Taken } from "./support/limit-settling.ts";
import { type QuotaOptions, quotaOptions } from "./support/quota-options.ts";

const DAY_MS = 86_400_000;
/** As it is told to clients: months differ. */
const LENGTHS_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS } as const;

/** All that a use of the plugin decides by. */
interface Plan {
  readonly name: string;
  readonly isShadow: boolean;
  /** Null: the request is exempt. */
  readonly key: (context: PluginContext) => string | null;
  readonly cost: Cost;
  readonly quota: Quota;
  readonly count: CountDecision;
  readonly write: WriteFields | null;
}

type Next = () => Promise<void>;

function windowOf({ per, rolling, timeZone = "UTC" }: QuotaOptions): QuotaWindow {
  return per === undefined ? { rollingMs: rolling ?? DAY_MS } : { per, timeZone };
}

function planOf(options: QuotaOptions, deps: PluginDeps): Plan {
  const { name = deps.route, limit, by, cost, onStoreError, headers: form } = options;
  const window = windowOf(options);
  const perMs = "rollingMs" in window ? window.rollingMs : LENGTHS_MS[window.per];
  const countsBytes = typeof cost === "object" && "bytes" in cost && cost.unit === 1;
  const keys = { words: typeof by === "string" ? by : "a function", ofTexts: keyOfTexts(by) };
  const count = deps.limits.counter(name, "quota");
  return {
    name,
    isShadow: deps.isShadow,
    key: limitedKeyReader(options, count),
    cost: costReader(cost),
    quota: deps.limits.quota({ name, window, limit, onStoreError }, keys),
    count,
    write: deps.isShadow ? null : fieldsWriter({ name, limit, perMs, countsBytes, form }),
  };
}

function decide(
  plan: Plan,
  taken: Taken<QuotaVerdict>,
  { context, next }: { context: PluginContext; next: Next },
): Promise<void> {
  const { verdict } = taken;
  const { count, name } = plan;
  const outcome = verdict.isAdmitted ? "admitted" : outcomeOf(verdict, plan.isShadow);
  count(outcome, verdict.mode);
  if (!verdict.isAdmitted) context.env.decided("quota", outcome, name);
  else if (verdict.mode === "allowed") context.env.decided("quota", "unchecked", name);
  if (!verdict.isAdmitted && !plan.isShadow) {
    if (isKnown(verdict)) plan.write?.(context, verdict);
    throw refusalOf(name, verdict);
  }
  settleAtEnd(plan.cost, taken, context);
  return next().then(() => {
    settleAtHead(plan.cost, taken, context);
    if (isKnown(verdict)) plan.write?.(context, verdict);
  });
}

function takenOf({ quota: limit }: Plan, verdict: QuotaVerdict, asked: { key: string; cost: number }) {
  return { ...asked, limit, verdict, isCounted: verdict.isAdmitted, isRefunded: false };
}

/** Limits how much may come for each key in a day, a week, a month or a window that rolls, over all gateways together. */
export default definePlugin({
  name: "quota",
  options: quotaOptions,
  knowsShadow: true,
  create: (options, deps) => {
    const plan = planOf(options, deps);
    return (context, next) => {
      const key = plan.key(context);
      if (key === null) return next();
      const cost = plan.cost.before(context);
      if (cost === 0) return next();
      const decided = (told: QuotaVerdict) => decide(plan, takenOf(plan, told, { key, cost }), { context, next });
      const verdict = plan.quota.take(key, cost);
      return verdict instanceof Promise ? verdict.then(decided) : decided(verdict);
    };
  },
});
