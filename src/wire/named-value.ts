/** The first cookie of that name as it is written, without its quotes (RFC 6265 4.1.1); null when there is none. */
export function cookieValue(fields: readonly string[], name: string): string | null {
  for (const pair of fields.flatMap((field) => field.split(";"))) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return unquoted(pair.slice(equals + 1).trim());
  }
  return null;
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** The first parameter of that name in a target's query, decoded as a form's; null when there is none. */
export function queryParameter(target: string, name: string): string | null {
  const start = target.indexOf("?");
  return start < 0 ? null : new URLSearchParams(target.slice(start + 1)).get(name);
}

/**
 * Reads a claim by its name or, where there is none of that name, by its path through claims that are maps. The reader
 * takes whatever stands for the claims, and returns null where there are none, or not that one.
 */
export function claimReader(name: string): (claims: unknown) => string | null {
  const path = name.split(".");
  return (claims) => scalarText(memberOf(claims, name) ?? path.reduce(memberOf, claims));
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** A text, a number or a boolean as a text; null for what is none of these, of which no key is made. */
export function scalarText(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}
