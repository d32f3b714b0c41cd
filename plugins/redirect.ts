import * as z from "zod";
import { definePlugin, type PluginEnv } from "../src/plugin.ts";
import { fullPath, prefixPath, replacePrefix, splitTarget, withQuery } from "./support/path.ts";

const options = z.strictObject({
  scheme: z.enum(["http", "https"]).optional(),
  hostname: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:.]+\]$/, { error: "is no hostname; write one without scheme and port" })
    .optional(),
  port: z.int().min(1).max(65535).optional(),
  path: z.union([fullPath, prefixPath]).optional(),
  status: z
    .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], {
      error: "is no status of a redirect; write 301, 302, 303, 307 or 308",
    })
    .default(302),
});

type Options = z.output<typeof options>;

const WELL_KNOWN = { http: 80, https: 443 } as const;

/** A port that was given; else the new scheme's own; else the one by which the client came. */
function portOf(env: PluginEnv, { port, scheme }: Options): number | null {
  if (port !== undefined) return port;
  const given = /:(\d+)$/.exec(env.authority)?.[1];
  return scheme !== undefined || given === undefined ? null : Number(given);
}

function targetOf(env: PluginEnv, replacement: Options["path"]): string {
  const { path, query } = splitTarget(env.target);
  if (replacement === undefined) return env.target;
  if ("full" in replacement) return withQuery(replacement.full, query);
  return withQuery(replacePrefix(path, env.prefix, replacement.prefix), query);
}

function locationOf(env: PluginEnv, given: Options): string {
  const scheme = given.scheme ?? env.scheme;
  const port = portOf(env, given);
  const host = given.hostname ?? env.authority.replace(/:\d*$/, "");
  const suffix = port === null || port === WELL_KNOWN[scheme] ? "" : `:${port}`;
  return `${scheme}://${host}${suffix}${targetOf(env, given.path)}`;
}

/** Answers with a redirect; what is not given stays as the client asked, path and query included. */
export default definePlugin({
  name: "redirect",
  options,
  create: (given) => (c) => c.body(null, given.status, { Location: locationOf(c.env, given) }),
});
