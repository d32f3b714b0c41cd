import { isAbsolute, resolve } from "node:path";
import { isShortSecret, maskSecrets } from "./mask.ts";
import { readFault } from "./regular-file.ts";

/** A text with its placeholders filled in. */
export interface Filled {
  readonly text: string;
  /** Why a placeholder could not be filled; its place in `text` is left empty. */
  readonly faults: readonly string[];
  /** The text was one placeholder and nothing else, so its value may stand for a number or a boolean. */
  readonly isWhole: boolean;
}

export interface InterpolatorDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws when the file cannot be read. */
  readonly readText: (path: string) => string;
  /** Folder that relative `${file:…}` paths start from. */
  readonly folder: string;
}

/** Fills placeholders and remembers what came from secret files. Made once for each loading. */
export interface Interpolator {
  fill(text: string): Filled;
  /** Adds a value that must never be shown. Empty texts are ignored. */
  keepSecret(value: string): void;
  /** Every secret so far, longest first. */
  secrets(): readonly string[];
  /** Absolute paths of the secret files that were asked for, readable or not. */
  secretFiles(): readonly string[];
  /** The text without any secret that is known so far. */
  mask(text: string): string;
}

// `$$`, then `${…}`; a name never holds a brace, a default may hold anything but a closing one.
const PLACEHOLDER = /\$\$|\$\{([^}]*)\}?/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const WHOLE = /^\$\{[^}]*\}$/;

type Value = { readonly value: string } | { readonly fault: string };

function variable(inner: string, env: InterpolatorDeps["env"]): Value {
  const parts = VARIABLE.exec(inner);
  const name = parts?.[1];
  if (name === undefined) {
    return {
      fault: `"\${${inner}}" is not a placeholder; write \${NAME}, \${NAME:-default}, \${file:/path} or $$ for a $`,
    };
  }
  const given = env[name];
  const fallback = parts?.[2];
  // As in a shell, `:-` stands in for an empty variable too.
  if (given !== undefined && (given !== "" || fallback === undefined)) return { value: given };
  if (fallback !== undefined) return { value: fallback };
  return { fault: `the environment variable ${name} is not set; set it or write \${${name}:-default}` };
}

function secretFile(path: string, deps: InterpolatorDeps): Value {
  try {
    return { value: deps.readText(path).replace(/\r?\n$/, "") };
  } catch (error) {
    return { fault: `the secret file ${path} ${readFault(error)}` };
  }
}

/** Makes the interpolator of one loading. Holds nothing that must be closed. */
export function createInterpolator(deps: InterpolatorDeps): Interpolator {
  const secrets = new Set<string>();
  const files = new Set<string>();

  function keepSecret(value: string): void {
    if (value !== "") secrets.add(value);
  }

  function placeholder(inner: string): Value {
    if (!inner.startsWith("file:")) return variable(inner, deps.env);
    const path = inner.slice("file:".length);
    if (path === "") return { fault: `"\${file:}" names no file; write for example \${file:/run/secrets/token}` };
    const full = isAbsolute(path) ? path : resolve(deps.folder, path);
    files.add(full);
    const found = secretFile(full, deps);
    if ("value" in found) keepSecret(found.value);
    return found;
  }

  function fill(text: string): Filled {
    if (!text.includes("$")) return { text, faults: [], isWhole: false };
    const faults: string[] = [];
    const filled = text.replace(PLACEHOLDER, (raw: string, inner: string | undefined) => {
      if (inner === undefined) return "$";
      const found = raw.endsWith("}") ? placeholder(inner) : { fault: `"${raw}" has no closing brace; write \${NAME}` };
      if ("value" in found) return found.value;
      faults.push(found.fault);
      return "";
    });
    // Within a longer text a short secret is not recognised: all of the text becomes one.
    if (/\$\{file:/.test(text) && byLength().some((secret) => isShortSecret(secret))) keepSecret(filled);
    return { text: filled, faults, isWhole: faults.length === 0 && WHOLE.test(text) };
  }

  const byLength = () => [...secrets].sort((a, b) => b.length - a.length);
  return {
    fill,
    keepSecret,
    secrets: byLength,
    secretFiles: () => [...files],
    mask: (text) => maskSecrets(text, byLength()),
  };
}
