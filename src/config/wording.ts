import * as z from "zod";
import { suggestion } from "./near.ts";

/** What stands in a fault for a key whose feature does not exist yet. */
export const NOT_BUILT = "is not built yet; it will come with a later version";

const WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys and values",
  record: "a map of keys and values",
  null: "nothing",
  undefined: "nothing",
  nonoptional: "a value",
};

/** A value as it is quoted in a fault, on one line. */
export function quote(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "function") return "a function";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** A message with long quoted texts cut. Only for messages whose secrets are masked: what is cut is not recognised. */
export function shortened(message: string): string {
  // Every quoted text is matched, short ones too: what stands between two of them is none.
  return message.replace(/"((?:[^"\\]|\\.)*)"/g, (quoted, inner: string) => {
    const kept = /^(?:[^"\\]|\\.){60}(?=.)/s.exec(inner)?.[0];
    return kept === undefined ? quoted : `"${kept}…"`;
  });
}

/** The message of a value that is not what it should be; `what` with its article, `example` what would be right. */
export function wrong(input: unknown, what: string, example: string): string {
  if (input === undefined) return `is missing; write ${example}`;
  if (input === null) return `is empty; write ${example}`;
  return `${quote(input)} is not ${what}; write ${example}`;
}

/** The same as a zod error function. */
export function hint(what: string, example: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => wrong(issue.input, what, example);
}

function typeMessage(input: unknown, expected: string, known: readonly string[]): string {
  const words = (WORDS[expected] ?? expected) + (known.length === 0 ? "" : ` (${known.join(", ")})`);
  if (input === undefined) return `is missing; write ${words}`;
  if (input === null) return `is empty; write ${words} or leave the key out`;
  const isScalar = typeof input === "number" || typeof input === "boolean";
  return `is ${quote(input)}; write ${expected === "string" && isScalar ? `the text "${input}"` : words}`;
}

function sizeMessage(issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall>): string {
  const isSmall = issue.code === "too_small";
  const bound = Number(isSmall ? issue.minimum : issue.maximum);
  const limit = `${isSmall ? "at least" : "at most"} ${bound}`;
  if (issue.origin === "array") {
    return isSmall && bound === 1
      ? "is empty; write at least one entry or leave the key out"
      : `write ${limit} entries`;
  }
  if (issue.origin === "string")
    return `${quote(issue.input)} is too ${isSmall ? "short" : "long"}; write ${limit} characters`;
  return `${quote(issue.input)} is too ${isSmall ? "small" : "great"}; write ${limit}`;
}

/** False for `$schema`, which is the editors' own, and for what is not built yet. */
function isForUsers(key: string, schema: unknown): boolean {
  return !key.startsWith("$") && !(schema instanceof z.ZodType && schema.meta()?.description === NOT_BUILT);
}

function knownKeys(schema: unknown): readonly string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).flatMap(([key, value]) => (isForUsers(key, value) ? [key] : []));
}

/** One line for each key, in order: an issue has one message, and each key gets its own fault. */
function unknownKeys(issue: z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys>): string {
  const known = knownKeys(issue.inst);
  return issue.keys.map((key) => `is not a known key${suggestion(key, known)}`.replaceAll("\n", " ")).join("\n");
}

function oneOf(input: unknown, values: readonly unknown[]): string {
  const written = values.map(String).join(", ");
  const what = values.length === 1 ? `what may stand here` : "one of the known words";
  if (typeof input !== "string") return wrong(input, what, written);
  return `${quote(input)} is not ${what}${suggestion(input, values.map(String))}`;
}

/** Words for an issue whose schema brought none; undefined leaves zod's own. */
export function wording(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return typeMessage(issue.input, issue.expected, knownKeys(issue.inst));
    case "unrecognized_keys":
      return unknownKeys(issue);
    case "too_small":
    case "too_big":
      return sizeMessage(issue);
    case "invalid_value":
      return oneOf(issue.input, issue.values);
    case "invalid_union":
      return issue.input === undefined ? "is missing" : undefined;
    default:
      return undefined;
  }
}
