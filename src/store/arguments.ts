import type { ScriptCall } from "./store.ts";

/** Whole milliseconds, at least one; undefined stays. Throws a TypeError for what is no time to live. */
export function ttlOf(ttlMs: number | undefined): number | undefined {
  if (ttlMs === undefined) return undefined;
  if (!(ttlMs > 0) || ttlMs > Number.MAX_SAFE_INTEGER) throw new TypeError(`ttlMs must be above 0, not ${ttlMs}`);
  return Math.ceil(ttlMs);
}

/** What decides in which part of a Cluster a key is: the text in its first braces, or all of it. */
function tagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key.slice(Math.max(0, key.indexOf("{"))))?.[1] ?? key;
}

/** Throws a TypeError for a script's keys that a Cluster could not bring together. A memory store is as strict. */
export function checkKeys(name: string, { keys }: ScriptCall): void {
  const [first] = keys;
  if (first === undefined) throw new TypeError(`script ${name} needs a key`);
  if (keys.some((key) => tagOf(key) !== tagOf(first))) {
    throw new TypeError(`script ${name}: its keys must have the same {tag}: ${keys.join(", ")}`);
  }
}
