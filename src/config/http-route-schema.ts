import * as z from "zod";
import { compileRegex } from "../regex.ts";
import { type PathSpec, parsePath } from "../route/path-match.ts";
import { httpRouteRetry } from "./retry.ts";
import {
  accepted,
  checkHeaderRegex,
  durationMs,
  headerName,
  hostname,
  later,
  method,
  nameText,
  routeName,
  schemaAddress,
  targetPort,
} from "./scalars.ts";
import { weight } from "./service-schema.ts";
import { hint, NOT_BUILT, quote, wrong } from "./wording.ts";

const text = z.string();
const absolutePath = z.string().regex(/^\//, { error: hint("a path", 'one that begins with "/"') });

function matchKinds(known: readonly string[]): (issue: { readonly input?: unknown }) => string {
  return hint("a type of match", known.join(" or "));
}

const PATH_TYPES = ["Exact", "PathPrefix", "RegularExpression"] as const;
const VALUE_TYPES = ["Exact", "RegularExpression"] as const;

interface PathValue {
  readonly type: (typeof PATH_TYPES)[number];
  readonly value: string;
}

/** A path of an HTTPRoute as a route file would say it. */
export function pathSpec({ type, value }: PathValue): PathSpec {
  if (type === "Exact") return { exact: value };
  return type === "PathPrefix" ? { prefix: value } : { regex: value };
}

const pathMatch = z
  .strictObject({
    type: z.enum(PATH_TYPES, { error: matchKinds(PATH_TYPES) }).default("PathPrefix"),
    value: z.string().default("/"),
  })
  .check(accepted((path: PathValue) => parsePath(pathSpec(path))));

function valueMatch<Name extends z.ZodType<string, string>>(name: Name, checkRegex: (source: string) => unknown) {
  const type = z.enum(VALUE_TYPES, { error: matchKinds(VALUE_TYPES) }).default("Exact");
  return z
    .strictObject({ type, name, value: text })
    .check(accepted(({ type, value }) => type === "RegularExpression" && checkRegex(value)));
}

const match = z.strictObject({
  path: pathMatch.prefault({}),
  headers: z.array(valueMatch(headerName, checkHeaderRegex)).default([]),
  queryParams: z.array(valueMatch(text.min(1), compileRegex)).default([]),
  method: method.optional(),
});

const header = z.strictObject({ name: headerName, value: text });

const headerModifier = z.strictObject({
  set: z.array(header).default([]),
  add: z.array(header).default([]),
  remove: z.array(headerName).default([]),
});

const pathModifier = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("ReplaceFullPath"), replaceFullPath: absolutePath }),
    z.strictObject({ type: z.literal("ReplacePrefixMatch"), replacePrefixMatch: z.string() }),
  ],
  { error: ({ input }) => wrong(typeOf(input), "a path modifier", "ReplaceFullPath or ReplacePrefixMatch") },
);

const statusHint = hint("a status of a redirect", "301, 302, 303, 307 or 308");

const redirect = z.strictObject({
  scheme: z.enum(["http", "https"]).optional(),
  hostname: hostname.optional(),
  path: pathModifier.optional(),
  port: targetPort.optional(),
  statusCode: z.literal([301, 302, 303, 307, 308], { error: statusHint }).default(302),
});

const rewrite = z.strictObject({ hostname: hostname.optional(), path: pathModifier.optional() });

const cors = z.strictObject({
  allowOrigins: z.array(text).default([]),
  allowMethods: z.array(text).default([]),
  allowHeaders: z.array(text).default([]),
  exposeHeaders: z.array(text).default([]),
  allowCredentials: z.boolean().default(false),
  maxAge: z.int().min(1).default(5),
});

const FUTURE_FILTERS = ["RequestMirror", "ExtensionRef", "ExternalAuth"];
const FILTERS = "RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite or CORS";

function typeOf(input: unknown): unknown {
  return typeof input === "object" && input !== null && "type" in input ? input.type : undefined;
}

function filterError({ input }: { readonly input?: unknown }): string {
  const type = typeOf(input);
  if (typeof type === "string" && FUTURE_FILTERS.includes(type)) return `${quote(type)} ${NOT_BUILT}; write ${FILTERS}`;
  return wrong(type, "a filter", FILTERS);
}

const filter = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("RequestHeaderModifier"), requestHeaderModifier: headerModifier }),
    z.strictObject({ type: z.literal("ResponseHeaderModifier"), responseHeaderModifier: headerModifier }),
    z.strictObject({ type: z.literal("RequestRedirect"), requestRedirect: redirect }),
    z.strictObject({ type: z.literal("URLRewrite"), urlRewrite: rewrite }),
    z.strictObject({ type: z.literal("CORS"), cors }),
  ],
  { error: filterError },
);

const backendRef = z.strictObject({
  group: text.default(""),
  kind: text.default("Service"),
  name: nameText("a service", "catalog"),
  namespace: text.optional(),
  // A service's endpoints bring their own ports.
  port: targetPort.optional(),
  weight: weight.default(1),
  filters: z.array(filter).default([]),
});

const parentRef = z.strictObject({
  group: text.optional(),
  kind: text.optional(),
  namespace: text.optional(),
  name: text,
  sectionName: nameText("a listener", "http").optional(),
  port: later,
});

const rule = z.strictObject({
  name: routeName.optional(),
  matches: z.array(match).default([]),
  filters: z.array(filter).default([]),
  backendRefs: z.array(backendRef).default([]),
  timeouts: z.strictObject({ request: durationMs.optional(), backendRequest: durationMs.optional() }).prefault({}),
  retry: httpRouteRetry.optional(),
  sessionPersistence: later,
});

/** A Gateway API HTTPRoute as one writes it, or as a cluster gives it back. */
export const httpRouteSchema = z.strictObject({
  apiVersion: z.enum(["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]),
  kind: z.literal("HTTPRoute"),
  // The cluster writes fields of its own into metadata and status; they say nothing about routing.
  metadata: z.looseObject({ name: routeName, namespace: routeName.optional() }),
  spec: z.strictObject({
    parentRefs: z.array(parentRef).default([]),
    hostnames: z.array(hostname).default([]),
    rules: z.array(rule).min(1).prefault([{}]),
    useDefaultGateways: later,
  }),
  status: z.unknown().optional(),
  $schema: schemaAddress,
});

/** What `httpRouteSchema` gives. */
export type HttpRouteDocument = z.output<typeof httpRouteSchema>;
/** One entry of `spec.rules`. */
export type HttpRouteRule = HttpRouteDocument["spec"]["rules"][number];
/** One entry of `filters`. */
export type HttpRouteFilter = HttpRouteRule["filters"][number];
/** A change of the path, in a redirect or a rewrite. */
export type PathModifier = z.output<typeof pathModifier>;
