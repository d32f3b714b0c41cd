import * as z from "zod";
import { serviceView } from "../service/view-schema.ts";
import { LEDGER_PATH } from "./ledger.ts";
import { ledgerAdd, ledgerSet, ledgerView } from "./ledger-schema.ts";
import type { Resource } from "./resources.ts";
import { problemView } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

const ERRORS = {
  400: "The body, the path or the key is none",
  401: "No token, or one that is not known",
  403: "The token's role does not allow it, or the request comes from another site",
  404: "There is none of that name",
  409: "The name is of a limit of another kind",
  412: "What is used is not what If-Match says",
  428: "If-Match is missing",
  405: "The resource does not know the method",
  413: "The request has a body that is too large",
  421: "The Host is no name of this machine",
  503: "No worker, or no store, answered in time",
} as const;

type ErrorStatus = keyof typeof ERRORS;

function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function idOf(schema: z.ZodType): string {
  return String(z.globalRegistry.get(schema)?.id ?? "");
}

/** The schemas as components, by their ids. */
function components(schemas: readonly z.ZodType[]): Json {
  const registry = z.registry<{ id: string }>();
  for (const schema of schemas) registry.add(schema, { id: idOf(schema) });
  const made = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}`, io: "output" });
  // Each stands for itself here, and its place says which dialect it is.
  return Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $schema: _, $id: __, id: ___, ...schema }]) => [id, schema]),
  );
}

function errorResponse(status: ErrorStatus): Json {
  const headers = status === 401 ? { headers: { "WWW-Authenticate": { schema: { type: "string" } } } } : {};
  return {
    description: ERRORS[status],
    ...headers,
    content: { "application/problem+json": { schema: ref("Problem") } },
  };
}

function parametersOf(path: string): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1 },
  }));
}

function operation({ path, summary, schema }: Pick<Resource, "path" | "summary"> & { readonly schema: Json }): Json {
  const parameters = parametersOf(path);
  const statuses: readonly ErrorStatus[] =
    parameters.length > 0 ? [401, 403, 404, 405, 413, 421, 503] : [401, 403, 405, 413, 421];
  const ok = { description: summary, content: { "application/json": { schema } } };
  return {
    summary,
    operationId: `get${path.replace(/[/:](\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    ...(parameters.length > 0 ? { parameters } : {}),
    responses: { 200: ok, ...Object.fromEntries(statuses.map((status) => [status, errorResponse(status)])) },
  };
}

interface Method {
  readonly name: "Get" | "Put" | "Patch";
  readonly summary: string;
  readonly body: z.ZodType | null;
  readonly isConditional: boolean;
}

const METHODS: readonly Method[] = [
  { name: "Get", summary: "What a quota counts of a key", body: null, isConditional: false },
  { name: "Put", summary: "Sets what a quota counts of a key as used", body: ledgerSet, isConditional: true },
  {
    name: "Patch",
    summary: "Adds to what a quota counts of a key, or takes from it",
    body: ledgerAdd,
    isConditional: false,
  },
];

/** What reads and corrects a count. */
function ledgerOperation({ name, summary, body, isConditional }: Method): Json {
  const reading: readonly ErrorStatus[] = [400, 401, 403, 404, 405, 409, 413, 421, 503];
  const statuses: readonly ErrorStatus[] =
    body === null ? reading : [...reading, 412, ...(isConditional ? [428 as const] : [])];
  const condition = { name: "If-Match", in: "header", required: isConditional, schema: { type: "string" } };
  const parameters = [...parametersOf(LEDGER_PATH), ...(body === null ? [] : [condition])];
  const headers = { ETag: { schema: { type: "string" } } };
  const content = { "application/json": { schema: ref(idOf(ledgerView)) } };
  return {
    summary,
    operationId: `${name.toLowerCase()}V1LimitsNameKeysKey`,
    parameters,
    ...(body === null
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: ref(idOf(body)) } } } }),
    responses: {
      200: { description: summary, headers, content },
      ...Object.fromEntries(statuses.map((status) => [status, errorResponse(status)])),
    },
  };
}

function pathOf(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

/** Where the document itself is. */
export const OPENAPI_PATH = "/v1/openapi.json";

/** The OpenAPI 3.1 document of these resources. */
export function openApi(resources: readonly Resource[], version: string): Json {
  const described = resources.map(({ path, summary, schema }) => ({ path, summary, schema: ref(idOf(schema)) }));
  const own = { path: OPENAPI_PATH, summary: "This document", schema: { type: "object" } };
  return {
    openapi: "3.1.0",
    info: { title: "Torii admin API", version },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths: {
      ...Object.fromEntries([...described, own].map((one) => [pathOf(one.path), { get: operation(one) }])),
      [pathOf(LEDGER_PATH)]: Object.fromEntries(
        METHODS.map((method) => [method.name.toLowerCase(), ledgerOperation(method)]),
      ),
    },
    components: {
      schemas: components([
        ...resources.map(({ schema }) => schema),
        serviceView,
        problemView,
        ledgerView,
        ledgerSet,
        ledgerAdd,
      ]),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "One of `admin.tokens` in torii.yaml" },
      },
    },
  };
}
