import * as z from "zod";
import { gatewaySchema } from "./gateway-schema.ts";
import { httpRouteSchema } from "./http-route-schema.ts";
import { middleware, routesSchema } from "./route-schema.ts";

/** The text of one schema file, as it is published. */
export interface SchemaFile {
  readonly name: string;
  readonly text: string;
}

// `${NAME}` may stand wherever a number or a boolean does; the texts' own patterns are left to the gateway.
const PLACEHOLDER = { type: "string", pattern: "\\$\\{[^}]*\\}" } as const;

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

function jsonSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // No editor of YAML can write a function.
      if (zodSchema === middleware) jsonSchema.not = {};
      allowPlaceholders(jsonSchema);
    },
  });
}

function fileOf(name: string, schema: object): SchemaFile {
  return { name, text: `${JSON.stringify(schema, null, 2)}\n` };
}

/** JSON Schemas of what users write, for their editors: `torii.schema.json` and `routes.schema.json`. */
export function schemaFiles(): readonly SchemaFile[] {
  const routes = jsonSchema(z.union([routesSchema, httpRouteSchema]));
  return [fileOf("torii.schema.json", jsonSchema(gatewaySchema)), fileOf("routes.schema.json", routes)];
}
