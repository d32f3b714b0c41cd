import * as z from "zod";
import {
  type CountDecision,
  definePlugin,
  type PluginContext,
  type PluginDeps,
  type Slots,
  type SlotsVerdict,
} from "../src/plugin.ts";
import { limitedKeyReader } from "./support/limit-exempt.ts";
import { allowFaults, limitFields, limitName } from "./support/limit-options.ts";
import { isKnown, outcomeOf, refusalOf } from "./support/limit-refusal.ts";

const MOST = 1_000_000;

function limitError({ input }: { readonly input?: unknown }): string {
  if (input === undefined) return "is missing; write how many requests may be in flight, such as 20";
  const shown = typeof input === "number" || typeof input === "string" ? JSON.stringify(input) : "this";
  return `${shown} is no number of requests in flight; write a whole number from 1 to ${MOST}`;
}

const options = z
  .strictObject({
    name: limitName,
    limit: z.int({ error: limitError }).min(1, { error: limitError }).max(MOST, { error: limitError }),
    ...limitFields,
    onStoreError: z.enum(["local", "allow", "deny"]).default("local"),
    headers: z.enum(["draft", "off"]).default("draft"),
  })
  .check(({ value, issues }) => {
    for (const { path, message } of allowFaults(value)) {
      issues.push({ code: "custom", input: value, path: [...path], message });
    }
  });

type Options = z.output<typeof options>;

/** All that a use of the plugin decides by. */
interface Plan {
  readonly name: string;
  readonly isShadow: boolean;
  /** Null: the request is exempt. */
  readonly key: (context: PluginContext) => string | null;
  readonly slots: Slots;
  readonly count: CountDecision;
  /** Null: clients are told nothing. */
  readonly policy: string | null;
}

type Next = () => Promise<void>;

function planOf(given: Options, deps: PluginDeps): Plan {
  const { name = deps.route, limit, by, onStoreError, headers } = given;
  const words = typeof by === "string" ? by : "a function";
  const count = deps.limits.counter(name, "concurrency_limit");
  return {
    name,
    isShadow: deps.isShadow,
    key: limitedKeyReader(given, count),
    slots: deps.limits.slots({ name, limit, onStoreError }, words),
    count,
    policy: deps.isShadow || headers === "off" ? null : `"${name}";q=${limit};qu="concurrent-requests"`,
  };
}

const APPENDED = { append: true } as const;

function write({ policy, name }: Plan, context: PluginContext, verdict: SlotsVerdict): void {
  if (policy === null || !isKnown(verdict)) return;
  context.header("RateLimit-Policy", policy, APPENDED);
  context.header("RateLimit", `"${name}";r=${verdict.remaining}`, APPENDED);
}

interface Asked {
  readonly context: PluginContext;
  readonly next: Next;
}

function decide(plan: Plan, verdict: SlotsVerdict, { context, next }: Asked): Promise<void> {
  const { count, name } = plan;
  const outcome = verdict.isAdmitted ? "admitted" : outcomeOf(verdict, plan.isShadow);
  count(outcome, verdict.mode);
  if (!verdict.isAdmitted) context.env.decided("concurrency_limit", outcome, name);
  else if (verdict.mode === "allowed") context.env.decided("concurrency_limit", "unchecked", name);
  if (!verdict.isAdmitted && !plan.isShadow) {
    write(plan, context, verdict);
    throw refusalOf(name, { mode: verdict.mode, retryAfterMs: null });
  }
  return next().then(() => write(plan, context, verdict));
}

/** For a request that waits for the store: it may be over before it has a slot. */
function enterLater(plan: Plan, key: string, { entering, asked }: Entering): Promise<void> {
  let isDone = false;
  let isHeld = false;
  asked.context.env.whenDone(() => {
    isDone = true;
    if (isHeld) plan.slots.leave(key);
  });
  return entering.then((verdict) => {
    isHeld = verdict.isAdmitted;
    if (isDone && isHeld) plan.slots.leave(key);
    return decide(plan, verdict, asked);
  });
}

interface Entering {
  readonly entering: Promise<SlotsVerdict>;
  readonly asked: Asked;
}

/** Limits how many requests are in flight for each key, over all gateways together. */
export default definePlugin({
  name: "concurrency-limit",
  options,
  knowsShadow: true,
  create: (given, deps) => {
    const plan = planOf(given, deps);
    return (context, next) => {
      const key = plan.key(context);
      if (key === null) return next();
      const asked = { context, next };
      const verdict = plan.slots.enter(key);
      if (verdict instanceof Promise) return enterLater(plan, key, { entering: verdict, asked });
      if (verdict.isAdmitted) context.env.whenDone(() => plan.slots.leave(key));
      return decide(plan, verdict, asked);
    };
  },
});
