import type { Context, Env, MiddlewareHandler, Next } from "hono";
import type * as z from "zod";
import type { PluginLimits } from "./limit/plugin-limits.ts";
import type { ClientInfo, ExchangeEnd } from "./wire/exchange.ts";

export type { LimitAlgorithm, Limiter, LimitMode, LimitSpec, OnStoreError, Verdict } from "./limit/limit.ts";
export {
  type CountDecision,
  createMemoryLimits,
  type LimitKind,
  type LimitOutcome,
  type MemoryLimits,
  type PluginLimits,
  type QuotaKeys,
} from "./limit/plugin-limits.ts";
export type { Quota, QuotaSpec, QuotaVerdict, QuotaWindow } from "./limit/quota.ts";
export type { Slots, SlotsSpec, SlotsVerdict } from "./limit/slots.ts";
export { compileRegex, type Regex } from "./regex.ts";
export { addressBytes, addressMatcher, isAddressRange } from "./wire/address.ts";
export type { ExchangeEnd } from "./wire/exchange.ts";
export { claimReader, cookieValue, queryParameter, scalarText } from "./wire/named-value.ts";

/** The request's header fields as they go upstream, in the client's order and case. Names are case-insensitive. */
export interface UpstreamHeaders {
  has(name: string): boolean;
  /** All values of that name joined by `, `, or null. */
  get(name: string): string | null;
  /** Replaces all fields of that name by one. Throws a TypeError for an invalid name or value; `add` does too. */
  set(name: string, value: string): void;
  add(name: string, value: string): void;
  delete(name: string): void;
}

/** What a plugin finds in `c.env`: the request as the gateway knows it. */
export interface PluginEnv {
  /** The request's id, as sent in `x-request-id` and shown in the access log. */
  readonly id: string;
  readonly client: ClientInfo;
  /** Name of the matched route. */
  readonly route: string | null;
  readonly listener: string;
  readonly scheme: "http" | "https";
  /** Raw target as the client sent it, query included. */
  readonly target: string;
  /** Lower-case host without port, and the authority as the client gave it. */
  readonly host: string;
  readonly authority: string;
  /** The prefix that a prefix match took, without the trailing slash; null for other matches. */
  readonly prefix: string | null;
  readonly params: Readonly<Record<string, string>> | null;
  /** Aborts when the client left or the deadline passed. */
  readonly signal: AbortSignal;
  /**
   * Changes go upstream at once, at next to no cost; `c.req.header()` sees them unless `c.req.raw` was taken before.
   * Changes of `c.req.raw.headers` go upstream as well. Host is `upstreamAuthority`.
   */
  readonly headers: UpstreamHeaders;
  /** What goes upstream; assign to change it. */
  upstreamMethod: string;
  upstreamTarget: string;
  upstreamAuthority: string;
  /** Notes a decision in the access log's `decisions`; the sixteenth of a request is the last that is kept. */
  decided(policy: string, outcome: string, about?: string | null): void;
  /** Calls once when all is over, in whatever way: after the response's last byte, or when the client left. */
  whenDone(listener: (end: ExchangeEnd) => void): void;
}

/** What plugins hand on to those after them, by `c.set` and `c.get`; the names that built-in ones read are told here. */
export interface PluginVariables {
  /** Claims of a token that was verified: Hono's `jwt` and `jwk` set it. Never set it from one that was not. */
  jwtPayload?: unknown;
  /** Who an API key that was verified belongs to, as a text; never the key itself. */
  apiKey?: unknown;
  [name: string]: unknown;
}

export interface PluginHonoEnv extends Env {
  Bindings: PluginEnv;
  Variables: PluginVariables;
}

export type PluginContext = Context<PluginHonoEnv>;
export type PluginMiddleware = (context: PluginContext, next: Next) => ReturnType<MiddlewareHandler> | Response;

/** What a plugin may use of the gateway, besides the request. */
export interface PluginDeps {
  /** Name of the route, or of the route's backend, that the plugin is made for. */
  readonly route: string;
  /** Limits that all gateways keep together; a store is opened for the first limiter. */
  readonly limits: PluginLimits;
  /** True when this use is to report what it would do, and to do nothing; only where the plugin has `knowsShadow`. */
  readonly isShadow: boolean;
}

export interface PluginDefinition<Schema extends z.ZodType> {
  readonly name: string;
  /** Schema of the `with` part; use `z.strictObject`, so that unknown keys are faults. */
  readonly options: Schema;
  /** True for a plugin that minds `isShadow`: only such a one may be used with `shadow: true`. */
  readonly knowsShadow?: boolean;
  /** Called once for each use when configuration is compiled; throws to refuse the options. */
  create(options: z.output<Schema>, deps: PluginDeps): PluginMiddleware;
}

/** A plugin as the gateway holds it. */
export interface Plugin {
  readonly name: string;
  readonly options: z.ZodType;
  readonly knowsShadow?: boolean;
  /** Options must have passed `options.safeParse`; throws what `create` throws. */
  provision(options: unknown, deps: PluginDeps): MiddlewareHandler;
}

/** Declares a plugin: a name, a schema and a function that makes Hono middleware from checked options. */
export function definePlugin<Schema extends z.ZodType>(definition: PluginDefinition<Schema>): Plugin {
  return {
    name: definition.name,
    options: definition.options,
    knowsShadow: definition.knowsShadow ?? false,
    // `parse` gives the schema's output type back, which a plain `unknown` has lost.
    provision: (options, deps) => definition.create(definition.options.parse(options), deps) as MiddlewareHandler,
  };
}
