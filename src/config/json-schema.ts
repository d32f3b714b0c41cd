import * as z from "zod";
import type { Plugin } from "../plugin.ts";
import { gatewaySchema } from "./gateway-schema.ts";
import { httpRouteSchema } from "./http-route-schema.ts";
import { middleware, pluginUse, routesSchema } from "./route-schema.ts";

/** The text of one schema file, as it is published. */
export interface SchemaFile {
  readonly name: string;
  readonly text: string;
}

// `${NAME}` may stand wherever a number or a boolean does; the texts' own patterns are left to the gateway.
const PLACEHOLDER = { type: "string", pattern: "\\$\\{[^}]*\\}" } as const;

/** JSON Schema has no flags: a pattern that disregards case would refuse what the gateway takes. */
function dropLoosePattern(schema: z.core.$ZodType, json: z.core.JSONSchema.BaseSchema): void {
  const checks = schema._zod.def.checks?.map((check) => check._zod.def) ?? [];
  const isLoose = checks.some((def) => "pattern" in def && def.pattern instanceof RegExp && def.pattern.flags !== "");
  if (isLoose) delete json.pattern;
}

function takesPlaceholder({ type, enum: values, const: value }: z.core.JSONSchema.BaseSchema): boolean {
  if (Array.isArray(values) || typeof value === "number") return true;
  return type === "integer" || type === "number" || type === "boolean";
}

/** May see a schema more than once, as zod asks at every wrapper. */
function allowPlaceholders(json: z.core.JSONSchema.BaseSchema): void {
  const { pattern } = json;
  if (typeof pattern === "string" && !pattern.endsWith(PLACEHOLDER.pattern)) {
    json.pattern = `${pattern}|${PLACEHOLDER.pattern}`;
  }
  if (!takesPlaceholder(json)) return;
  const { default: given, ...plain } = json;
  for (const key of Object.keys(plain)) delete json[key];
  json.anyOf = [plain, PLACEHOLDER];
}

type Described = Pick<Plugin, "name" | "options">;

/** What `with` of a plugin must be, for the entries of `plugins` that use it. */
function condition({ name, options }: Described): z.core.JSONSchema.BaseSchema {
  const isNeeded = !options.safeParse({}).success;
  return {
    if: { properties: { use: { const: name } }, required: ["use"] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { properties: { with: { $ref: `#/$defs/${name}` } }, ...(isNeeded ? { required: ["with"] } : {}) },
  };
}

function jsonSchema(schema: z.ZodType, plugins: readonly Described[]): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // No editor of YAML can write a function.
      if (zodSchema === middleware) jsonSchema.not = {};
      dropLoosePattern(zodSchema, jsonSchema);
      allowPlaceholders(jsonSchema);
      if (zodSchema === pluginUse) jsonSchema.allOf = plugins.map(condition);
    },
  });
}

function optionsSchema({ name, options }: Described): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...schema } = jsonSchema(options, []);
  return { title: `Options of ${name}`, ...schema };
}

function fileOf(name: string, schema: z.ZodType, plugins: readonly Described[]): SchemaFile {
  const { $schema, title, description, ...rest } = jsonSchema(schema, plugins);
  const $defs = Object.fromEntries(plugins.map((plugin) => [plugin.name, optionsSchema(plugin)]));
  return { name, text: `${JSON.stringify({ $schema, title, description, ...rest, $defs }, null, 2)}\n` };
}

const routeFile = z.union([routesSchema, httpRouteSchema]).meta({
  title: "Torii route file",
  description: "Services and the routes that lead to them, or an HTTPRoute of the Gateway API.",
});

/**
 * JSON Schemas of what users write, for their editors: `torii.schema.json` and `routes.schema.json`. The options of
 * these plugins are described too; those of others may be anything.
 */
export function schemaFiles(plugins: readonly Described[]): readonly SchemaFile[] {
  return [fileOf("torii.schema.json", gatewaySchema, plugins), fileOf("routes.schema.json", routeFile, plugins)];
}
