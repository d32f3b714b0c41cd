import * as z from "zod";
import { compileRegex, definePlugin, type PluginEnv } from "../src/plugin.ts";
import { fullPath, prefixPath, replacePrefix, splitTarget, withQuery } from "./support/path.ts";

function checkRegex(context: z.core.ParsePayload<string>): void {
  try {
    compileRegex(context.value);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.issues.push({ code: "custom", input: context.value, message });
  }
}

const regexPath = z.strictObject({
  regex: z.string().check(checkRegex),
  replace: z.string().regex(/^[\x21\x22\x24-\x7e]*$/, { error: "is no part of a path; write it without spaces and #" }),
});

const options = z
  .strictObject({
    hostname: z
      .string()
      .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, {
        error: "is no host; write for example api.internal",
      })
      .optional(),
    path: z.union([fullPath, prefixPath, regexPath]).optional(),
  })
  .refine(({ hostname, path }) => hostname !== undefined || path !== undefined, {
    error: "rewrites nothing; give hostname or path",
  });

type Replacement = NonNullable<z.output<typeof options>["path"]>;

/** What makes the new path, ready for requests. */
function replacer(replacement: Replacement): (path: string, env: PluginEnv) => string {
  if ("full" in replacement) return () => replacement.full;
  if ("prefix" in replacement) return (path, env) => replacePrefix(path, env.prefix, replacement.prefix);
  const pattern = compileRegex(replacement.regex);
  // Groups may be written as `$1`, or as `\1` like in other proxies.
  const text = replacement.replace.replace(/\\(\d)/g, "$$$1");
  return (path) => {
    const replaced = pattern.replace(path, text);
    return replaced.startsWith("/") ? replaced : `/${replaced}`;
  };
}

/** Changes the host or the path that go upstream; the query stays. */
export default definePlugin({
  name: "rewrite",
  options,
  create: ({ hostname, path }) => {
    const replace = path === undefined ? null : replacer(path);
    return (c, next) => {
      const { env } = c;
      if (hostname !== undefined) env.upstreamAuthority = hostname;
      if (replace !== null) {
        const before = splitTarget(env.upstreamTarget);
        env.upstreamTarget = withQuery(replace(before.path, env), before.query);
      }
      return next();
    };
  },
});
