/** Whoever serves these names; none given: all that nobody else serves. */
export interface Named {
  /** Lower case: names, `*.name` for one label or more in front, or `*` for all. */
  readonly hostnames: readonly string[];
}

/** Finds who serves a name (lower case): who has it itself, then the longest wildcard, then who serves all; or null. */
export type NameTable<T> = (name: string) => T | null;

/** The first of those that serve the same name has it. */
export function nameTable<T extends Named>(all: readonly T[]): NameTable<T> {
  const names = new Map<string, T>();
  for (const one of all) {
    for (const hostname of one.hostnames.length === 0 ? ["*"] : one.hostnames) {
      if (!names.has(hostname)) names.set(hostname, one);
    }
  }
  return (name) => names.get(name) ?? byWildcard(names, name) ?? names.get("*") ?? null;
}

function byWildcard<T>(names: ReadonlyMap<string, T>, name: string): T | undefined {
  for (let at = name.indexOf("."); at >= 0; at = name.indexOf(".", at + 1)) {
    const found = names.get(`*${name.slice(at)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
