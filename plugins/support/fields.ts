import * as z from "zod";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Field content of RFC 9110 5.5: no control but HTAB, one octet a character, no white space at the ends.
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const FRAMING = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
]);

/** The name of a header field; those that frame a message belong to the gateway. */
export const headerName = z
  .string()
  .regex(NAME, { error: "is no header name; write letters, digits and dashes, for example x-team" })
  .refine((name) => !FRAMING.has(name.toLowerCase()), {
    error: "is written by the gateway itself; leave this header out",
  });

const headerValue = z
  .string()
  .regex(VALUE, { error: "is no header value; write visible Latin-1 characters without line breaks" });

/** Names with one value or several: `{ x-team: shop }`, `{ x-tag: [a, b] }`. */
export const headerMap = z.record(headerName, z.union([headerValue, z.array(headerValue).min(1)]));

/** The options of `request-headers` and `response-headers`. */
export const headerEdits = z.strictObject({
  set: headerMap.optional(),
  add: headerMap.optional(),
  remove: z.array(headerName).optional(),
});

export type HeaderEdits = z.output<typeof headerEdits>;

/** One step on header fields, in the order in which steps are taken. */
export interface HeaderStep {
  readonly action: "remove" | "set" | "add";
  readonly name: string;
  /** Empty for `remove`. */
  readonly value: string;
}

function steps(action: "set" | "add", map: HeaderEdits["set"]): HeaderStep[] {
  return Object.entries(map ?? {}).flatMap(([name, given]) => {
    const [first = "", ...rest] = Array.isArray(given) ? given : [given];
    return [{ action, name, value: first }, ...rest.map((value): HeaderStep => ({ action: "add", name, value }))];
  });
}

/** Removes first, then sets, then adds: a name in two of them ends with what was set or added. */
export function headerSteps({ set, add, remove = [] }: HeaderEdits): readonly HeaderStep[] {
  const removed = remove.map((name): HeaderStep => ({ action: "remove", name, value: "" }));
  return [...removed, ...steps("set", set), ...steps("add", add)];
}
