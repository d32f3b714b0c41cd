import * as z from "zod";
import type { PluginMiddleware } from "../plugin.ts";
import { parsePath } from "../route/path-match.ts";
import type { PathOption } from "../route/path-policy.ts";
import { subset } from "./endpoint-facts.ts";
import { retry } from "./retry.ts";
import {
  accepted,
  checkHeaderRegex,
  durationMs,
  headerName,
  hostname,
  later,
  method,
  nameText,
  regexSource,
  routeName,
  schemaAddress,
  words,
} from "./scalars.ts";
import { serviceSchema, weight } from "./service-schema.ts";
import { hint, wrong } from "./wording.ts";

const pathError = hint("a path", '"/exact", "/prefix/*", "/users/:id", { exact }, { prefix } or { regex }');

const pathText = z.string({ error: pathError });

const path = z
  .union(
    [
      pathText,
      z.strictObject({ exact: pathText }),
      z.strictObject({ prefix: pathText }),
      z.strictObject({ regex: z.string() }),
    ],
    { error: pathError },
  )
  .check(accepted(parsePath));

function valueError({ input }: { readonly input?: unknown }): string {
  const example = typeof input === "number" || typeof input === "boolean" ? `"${input}"` : '"text"';
  return wrong(input, "a value to match", `${example}, { regex: "…" } or { present: true }`);
}

function fieldValue<Source extends z.ZodString>(source: Source) {
  const forms = [z.string(), z.strictObject({ regex: source }), z.strictObject({ present: z.boolean() })] as const;
  return z.union(forms, { error: valueError });
}

const match = z.strictObject({
  path: path.optional(),
  methods: z.array(method).min(1).optional(),
  headers: z.record(headerName, fieldValue(z.string().check(accepted(checkHeaderRegex)))).optional(),
  query: z.record(z.string(), fieldValue(regexSource)).optional(),
});

const useHint = hint("a plugin", "a name such as cors or hono/cors");

/** A middleware function, which only a TypeScript file can give. */
export const middleware = z.custom<PluginMiddleware>((given) => typeof given === "function", { error: useHint });

/** One entry of `plugins`. The `with` part is checked later, by the plugin's own schema. */
export const pluginUse = z.strictObject({
  use: z.union([z.string({ error: useHint }).min(1, { error: useHint }), middleware], { error: useHint }),
  with: z.unknown().optional(),
  shadow: z.boolean().optional(),
  timeout: later,
});

const backend = z.strictObject({
  service: nameText("a service", "catalog"),
  weight: weight.default(1),
  subset: subset.optional(),
  plugins: z.array(pluginUse).default([]),
});

const lenience = words(["refuse", "allow"], []).optional();

const paths = z.strictObject({
  dotSegments: lenience,
  encodedSlash: lenience,
  encodedBackslash: lenience,
  backslash: lenience,
  leadingDoubleSlash: lenience,
  nul: lenience,
  controls: lenience,
  malformedEscapes: lenience,
  invalidUtf8: lenience,
} satisfies Record<PathOption, typeof lenience>);

/** One entry of `routes`. */
export const routeSchema = z.strictObject({
  name: routeName,
  hostnames: z.array(hostname).min(1).default([]),
  listeners: z.array(nameText("a listener", "http")).min(1).optional(),
  matches: z.array(match).min(1).default([{}]),
  paths: paths.prefault({}),
  plugins: z.array(pluginUse).optional(),
  timeout: durationMs.optional(),
  propagateTimeout: z.boolean().default(false),
  priority: words(["low", "normal", "high"], []).default("normal"),
  retry: retry.optional(),
  backends: z.array(backend).default([]),
  sticky: later,
  mirror: later,
});

/** The outer form of a route file, for checking its entries one by one: a fault in one hides none in another. */
export const routesShell = z.strictObject({
  services: z.record(nameText("a service", "catalog"), z.unknown()).default({}),
  routes: z.array(z.unknown()).default([]),
  $schema: schemaAddress,
});

/** A route file. Its input is what a user writes. */
export const routesSchema = z
  .strictObject({
    // `catalog:` with nothing below it is a service with every default.
    services: z.record(nameText("a service", "catalog"), serviceSchema.nullable()).default({}),
    routes: z.array(routeSchema).default([]),
    $schema: schemaAddress,
  })
  .meta({ title: "Torii routes", description: "Services and the routes that lead to them." });

/** One entry of `routes`. */
export type RouteDocument = z.output<typeof routeSchema>;
/** One entry of `plugins`. */
export type PluginUseDocument = z.output<typeof pluginUse>;
/** One entry of `matches`. */
export type MatchDocument = z.output<typeof match>;
/** What a user writes in a route file, in TypeScript's own types. */
export type RoutesInput = z.input<typeof routesSchema>;
