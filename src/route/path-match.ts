import { compileRegex, type Regex } from "../regex.ts";
import { canonicalPath } from "./path.ts";
import { faultWords } from "./path-policy.ts";

/** One segment of a pattern: a parameter's name, or canonical literal text. */
export type Segment = { readonly param: string } | { readonly literal: string };

/** Which paths a match takes, in canonical form. */
export type PathMatch =
  | { readonly kind: "exact"; readonly path: string }
  /** On whole segments; `path` has no trailing slash and is "" for every path. */
  | { readonly kind: "prefix"; readonly path: string }
  /** `isPrefix` takes whatever follows the last segment too. */
  | { readonly kind: "pattern"; readonly segments: readonly Segment[]; readonly isPrefix: boolean }
  | { readonly kind: "regex"; readonly regex: Regex };

/** A path in a route file. */
export type PathSpec = string | { readonly exact: string } | { readonly prefix: string } | { readonly regex: string };

const PARAM_NAME = /^[A-Za-z_]\w*$/;
const STAR_HELP = '"*" may stand only as the last segment, as in /catalog/*; for anything else use { regex }';

function fault(text: string, what: string): SyntaxError {
  return new SyntaxError(`${JSON.stringify(text)} is no path: ${what}`);
}

/** Literal text in canonical form, by the rules of Gateway API for values of paths. */
function literal(text: string): string {
  if (!text.startsWith("/")) throw fault(text, 'it must begin with "/"');
  if (text.includes("?")) throw fault(text, "it holds a query; use the field query");
  if (text.includes("#")) throw fault(text, "a fragment never reaches a server");
  if (text.includes("//")) throw fault(text, 'it holds "//"; use { regex } to match empty segments');
  const { path, faults } = canonicalPath(Buffer.from(text).toString("latin1"));
  if (faults !== 0) throw fault(text, `it holds ${faultWords(faults)}; use { regex } to match one`);
  return path;
}

function prefix(text: string): string {
  const path = literal(text);
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function paramOf(text: string, segment: string): Segment {
  const param = segment.slice(1);
  if (PARAM_NAME.test(param)) return { param };
  throw fault(text, `${JSON.stringify(segment)} is no parameter; a name is a letter, then letters, digits and _`);
}

function segmentOf(text: string, segment: string): Segment {
  return segment.startsWith(":") ? paramOf(text, segment) : { literal: segment };
}

function patternOf(text: string, path: string, isPrefix: boolean): PathMatch {
  const segments = path
    .slice(1)
    .split("/")
    .map((segment) => segmentOf(text, segment));
  const names = segments.flatMap((segment) => ("param" in segment ? [segment.param] : []));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw fault(text, `the parameter :${twice} stands twice; give each its own name`);
  return { kind: "pattern", segments, isPrefix };
}

function shorthand(text: string): PathMatch {
  const isPrefix = text.endsWith("/*");
  const body = isPrefix ? text.slice(0, -1) : text;
  if (body.includes("*")) throw fault(text, STAR_HELP);
  // As it was written: without its star it would name a path that stands nowhere.
  if (!text.startsWith("/")) throw fault(text, 'it must begin with "/"');
  const path = isPrefix ? prefix(body) : literal(body);
  if (path.includes("/:")) return patternOf(text, path, isPrefix);
  return isPrefix ? { kind: "prefix", path } : { kind: "exact", path };
}

/**
 * Compiles a path of a route file: `/catalog`, `/catalog/*`, `/users/:id`, `/users/:id/*`, or an object that says
 * what it is and takes `*` and `:` as they stand. Throws a SyntaxError that says what is wrong and what would be right.
 */
export function parsePath(spec: PathSpec): PathMatch {
  if (typeof spec === "string") return shorthand(spec);
  if ("exact" in spec) return { kind: "exact", path: literal(spec.exact) };
  if ("regex" in spec) return { kind: "regex", regex: compileRegex(spec.regex) };
  if (!spec.prefix.endsWith("/*")) return { kind: "prefix", path: prefix(spec.prefix) };
  throw fault(
    spec.prefix,
    `a prefix takes whole segments by itself; write { prefix: ${spec.prefix.slice(0, -2) || "/"} }`,
  );
}

/** The path as a route file would say it: `/catalog/*`, `/users/:id`, `{ regex: … }`; the canonical form. */
export function pathText(match: PathMatch): string {
  if (match.kind === "exact") return match.path;
  if (match.kind === "prefix") return `${match.path}/*`;
  if (match.kind === "regex") return `regex ${match.regex.source}`;
  const parts = match.segments.map((segment) => ("param" in segment ? `/:${segment.param}` : `/${segment.literal}`));
  return parts.join("") + (match.isPrefix ? "/*" : "");
}
