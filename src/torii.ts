/** What users' own TypeScript files import from "torii". */
export { z } from "zod";
export { defineRoutes } from "./config/define.ts";
export type { RoutesInput } from "./config/route-schema.ts";
export type {
  LimitAlgorithm,
  Limiter,
  LimitMode,
  LimitOutcome,
  LimitSpec,
  MemoryLimits,
  OnStoreError,
  PluginContext,
  PluginDefinition,
  PluginDeps,
  PluginEnv,
  PluginLimits,
  PluginMiddleware,
  Quota,
  QuotaKeys,
  QuotaSpec,
  QuotaVerdict,
  QuotaWindow,
  Regex,
  Slots,
  SlotsSpec,
  SlotsVerdict,
  Verdict,
} from "./plugin.ts";
export { compileRegex, createMemoryLimits, definePlugin } from "./plugin.ts";
