// OpenTelemetry's known methods; whatever else clients invent must not make new series.
const METHODS: readonly string[] = [
  "_OTHER",
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "QUERY",
];

/** A method's place among the known ones; 0 for all others. Methods are case-sensitive (RFC 9110 9.1). */
export function methodIndex(method: string): number {
  // Most requests are one of these two, and comparing is cheaper than searching.
  if (method === "GET") return 1;
  if (method === "POST") return 3;
  return Math.max(METHODS.indexOf(method), 0);
}

/** The label of a method's place; `_OTHER` for unknown ones. */
export function methodLabel(index: number): string {
  return METHODS[index] ?? "_OTHER";
}
