import type { RoutesInput } from "./route-schema.ts";

/**
 * What a TypeScript route file exports by default. Gives the same object back; it is there for its types.
 * A plugin may be given as a middleware function: `plugins: [{ use: async (c, next) => { … } }]`.
 */
export function defineRoutes(routes: RoutesInput): RoutesInput {
  return routes;
}
