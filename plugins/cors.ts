import * as z from "zod";
import { definePlugin, type PluginContext } from "../src/plugin.ts";
import { headerName } from "./support/fields.ts";

const ORIGIN =
  /^(?:\*|null|[a-z][a-z0-9+.-]*:\/\/(?:\*|(?:\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5}|:\*)?)$/i;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

const seconds = z.union([
  z.int().min(0),
  z
    .string()
    .regex(/^\d{1,9}[smh]$/, { error: "is no duration; write for example 10m, or a number of seconds" })
    .transform((text) => Number(text.slice(0, -1)) * (UNIT_SECONDS[text.slice(-1)] ?? 1)),
]);

const options = z.strictObject({
  origins: z
    .array(
      z.string().regex(ORIGIN, { error: "is no origin; write https://shop.example.com, https://*.example.com or *" }),
    )
    .min(1),
  methods: z
    .array(z.string().regex(/^[A-Za-z-]+$|^\*$/, { error: "is no method; write for example PUT, or *" }))
    .default(["GET", "HEAD", "POST"]),
  headers: z.array(headerName).default([]),
  expose: z.array(headerName).default([]),
  credentials: z.boolean().default(false),
  maxAge: seconds.optional(),
});

type Options = z.output<typeof options>;

const ANSWERS = ["access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"];

function originPattern(origin: string): RegExp {
  const escaped = origin.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  // A star before a dot takes one label or more; as a port, any.
  return new RegExp(`^${escaped.replace(/:\*$/, "(?::\\d+)?").replace("*", "[^/:]+")}$`, "i");
}

function originTest(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes("*")) return () => true;
  const exact = new Set(origins.filter((origin) => !origin.includes("*")).map((origin) => origin.toLowerCase()));
  const patterns = origins.filter((origin) => origin.includes("*")).map(originPattern);
  return (origin) => exact.has(origin.toLowerCase()) || patterns.some((pattern) => pattern.test(origin));
}

/** A wildcard means nothing to a request with credentials (Fetch 3.2.3): what was asked for is named instead. */
function allowed(list: readonly string[], asked: string | undefined, credentials: boolean): string {
  if (!list.includes("*")) return list.join(", ");
  return credentials ? (asked ?? "") : "*";
}

function addVary(headers: Headers, name: string): void {
  const before = headers.get("vary");
  if (
    before === "*" ||
    before
      ?.toLowerCase()
      .split(/\s*,\s*/)
      .includes(name.toLowerCase())
  )
    return;
  headers.append("Vary", name);
}

function preflight(c: PluginContext, given: Options, allowOrigin: string | null): Response {
  const headers = new Headers({ Vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" });
  if (allowOrigin === null) return new Response(null, { status: 204, headers });
  headers.set("Access-Control-Allow-Origin", allowOrigin);
  if (given.credentials) headers.set("Access-Control-Allow-Credentials", "true");
  const { credentials, maxAge } = given;
  const methods = allowed(given.methods, c.req.header("access-control-request-method"), credentials);
  const fields = allowed(given.headers, c.req.header("access-control-request-headers"), credentials);
  headers.set("Access-Control-Allow-Methods", methods);
  if (fields !== "") headers.set("Access-Control-Allow-Headers", fields);
  if (maxAge !== undefined) headers.set("Access-Control-Max-Age", String(maxAge));
  return new Response(null, { status: 204, headers });
}

function mark(headers: Headers, given: Options, allowOrigin: string | null): void {
  // The gateway decides: what the service says of other origins does not count.
  for (const name of ANSWERS) headers.delete(name);
  if (allowOrigin === null) return;
  headers.set("Access-Control-Allow-Origin", allowOrigin);
  if (given.credentials) headers.set("Access-Control-Allow-Credentials", "true");
  if (given.expose.length > 0) headers.set("Access-Control-Expose-Headers", given.expose.join(", "));
}

/** Cross-origin resource sharing: answers preflights itself and marks responses to origins that may read them. */
export default definePlugin({
  name: "cors",
  options,
  create: (given) => {
    const isAllowed = originTest(given.origins);
    const isOpen = given.origins.includes("*") && !given.credentials;
    return async (c, next) => {
      const origin = c.req.header("origin");
      const allowOrigin = isOpen ? "*" : origin !== undefined && isAllowed(origin) ? origin : null;
      const isPreflight = c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
      if (origin !== undefined && isPreflight) return preflight(c, given, allowOrigin);
      await next();
      const { headers } = c.res;
      if (origin !== undefined || isOpen) mark(headers, given, allowOrigin);
      if (!isOpen) addVary(headers, "Origin");
      return undefined;
    };
  },
});
