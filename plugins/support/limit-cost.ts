import * as z from "zod";
import type { PluginContext } from "../../src/plugin.ts";

/** More is not counted exactly. */
export const MOST_UNITS = 1_000_000_000;

function shown(input: unknown): string {
  if (input === null) return "nothing";
  return typeof input === "object" ? "this" : typeof input === "string" ? JSON.stringify(input) : String(input);
}

/** A number of what is counted: above 0, at most a thousand million, to the millionth part. `what` with its article. */
export function quantity(what: string): z.ZodNumber {
  const error = ({ input }: { readonly input?: unknown }): string =>
    input === undefined
      ? "is missing; write a number above 0, such as 100"
      : `${shown(input)} is not ${what}; write a number above 0, such as 100 or 0.5`;
  return z
    .number({ error })
    .min(0.000001, { error })
    .max(MOST_UNITS, { error: `is more than ${MOST_UNITS}, the greatest number that is counted exactly; write less` });
}

/** A function that only a TypeScript file can give. */
function functionOf<Type extends (context: PluginContext) => unknown>(what: string) {
  return z.custom<Type>((given) => typeof given === "function", { error: `is no ${what}` });
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const reserve = quantity("a number to reserve").default(1);

const byHeader = z.strictObject({
  header: z.string().regex(NAME, { error: "is no header name; write for example x-tokens" }),
  remove: z.boolean().default(false),
  reserve,
});
const byBytes = z.strictObject({
  bytes: z.enum(["request", "response", "both"], {
    error: 'says not which bytes; write "request", "response" or "both"',
  }),
  unit: z
    .int({ error: "is no number of bytes; write a whole number from 1, such as 1024" })
    .min(1)
    .max(MOST_UNITS)
    .default(1),
  reserve,
});
const byResponse = z.strictObject({
  response: functionOf<(context: PluginContext) => number>("function of the context"),
  reserve,
});

const byRequest = z.strictObject({ before: functionOf<(context: PluginContext) => number>("function of the context") });

const forms = z.union([quantity("a cost"), byHeader, byBytes, byResponse, byRequest], {
  error: "is no cost; write a number, { header: x-tokens }, { bytes: response } or, in TypeScript, a function",
});

/**
 * What a request costs: a number; or what its response tells, with `reserve` taken before; or a function, which is
 * the same as `{ before: FUNCTION }`.
 */
export const costSchema = z.preprocess((given) => (typeof given === "function" ? { before: given } : given), forms);

export type CostOptions = z.output<typeof costSchema>;

/** What a request costs before it is forwarded, and how what it really cost becomes known. */
export interface Cost {
  /** 0: nothing is taken. */
  before(context: PluginContext): number;
  /** From the response's head; null where it tells nothing, so that what was reserved stands. */
  readonly afterHead: ((context: PluginContext) => number | null) | null;
  /** From all that was sent and received. */
  readonly afterEnd: ((end: { readonly bytesReceived: number; readonly bytesSent: number }) => number) | null;
  /** The least that `before` is; null where a function says it. */
  readonly least: number | null;
}

/** What is no number from 0 on costs one. */
function costOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : 1;
}

const ONLY_BEFORE = { afterHead: null, afterEnd: null };

/** Makes a cost from its options; 1 where there are none. */
export function costReader(options: CostOptions | undefined): Cost {
  if (options === undefined) return { ...ONLY_BEFORE, before: () => 1, least: 1 };
  if (typeof options === "number") return { ...ONLY_BEFORE, before: () => options, least: options };
  if ("before" in options) return { ...ONLY_BEFORE, before: (c) => costOf(options.before(c)), least: null };
  const reserved = { ...ONLY_BEFORE, before: () => options.reserve, least: options.reserve };
  if ("header" in options) return { ...reserved, afterHead: headerCost(options) };
  if ("bytes" in options) return { ...reserved, afterEnd: bytesCost(options) };
  return { ...reserved, afterHead: (c) => costOf(options.response(c)) };
}

function headerCost({ header, remove }: z.output<typeof byHeader>): (context: PluginContext) => number | null {
  return ({ res }) => {
    const text = res.headers.get(header);
    if (remove && text !== null) res.headers.delete(header);
    return text !== null && /^\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Math.min(MOST_UNITS, Number(text)) : null;
  };
}

function bytesCost({ bytes, unit }: z.output<typeof byBytes>): NonNullable<Cost["afterEnd"]> {
  return ({ bytesReceived, bytesSent }) => {
    const counted = (bytes === "response" ? 0 : bytesReceived) + (bytes === "request" ? 0 : bytesSent);
    return counted / unit;
  };
}
