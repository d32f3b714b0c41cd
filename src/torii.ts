/** What users' own TypeScript files import from "torii". */
export { z } from "zod";
export { defineRoutes } from "./config/define.ts";
export type { RoutesInput } from "./config/route-schema.ts";
export type { PluginContext, PluginDefinition, PluginDeps, PluginEnv, PluginMiddleware, Regex } from "./plugin.ts";
export { compileRegex, definePlugin } from "./plugin.ts";
