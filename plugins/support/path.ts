import * as z from "zod";

const pathText = z
  .string()
  .regex(/^\/[\x21\x22\x24-\x7e]*$/, { error: "is no path; write one that begins with /, without spaces and #" });

/** `{ full: /new }` replaces the whole path, `{ prefix: /new }` the prefix that the route's match took. */
export const fullPath = z.strictObject({ full: pathText });
export const prefixPath = z.strictObject({ prefix: z.union([pathText, z.literal("")]) });

/** A target's path, and its query with the question mark. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const at = target.indexOf("?");
  return at < 0 ? { path: target, query: "" } : { path: target.slice(0, at), query: target.slice(at) };
}

/**
 * Gateway API's ReplacePrefixMatch: the prefix goes, slashes between the parts are one, and nothing becomes `/`.
 * A match that is no prefix took the whole path.
 */
export function replacePrefix(path: string, prefix: string | null, replacement: string): string {
  const rest = prefix !== null && path.startsWith(prefix) ? path.slice(prefix.length) : "";
  const base = replacement.endsWith("/") ? replacement.slice(0, -1) : replacement;
  if (rest === "") return replacement === "" ? "/" : replacement;
  const joined = rest.startsWith("/") ? base + rest : `${base}/${rest}`;
  return base === "" ? joined.replace(/^\/+/, "/") : joined;
}

/** Puts a path before a query; a path with a query of its own keeps that instead. */
export function withQuery(path: string, query: string): string {
  return path.includes("?") ? path : path + query;
}
