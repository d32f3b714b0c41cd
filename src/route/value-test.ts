import { compileRegex, type Regex } from "../regex.ts";

/** What a header or query parameter must be. */
export type ValueTest =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "regex"; readonly regex: Regex }
  | { readonly kind: "present"; readonly isPresent: boolean };

/** A value in a route file's `headers` and `query`. */
export type ValueSpec = string | { readonly regex: string } | { readonly present: boolean };

/**
 * Compiles a value. A regex takes the whole value: `en|fr` does not accept `french`.
 * Throws a SyntaxError for a bad regex.
 */
export function parseValue(spec: ValueSpec): ValueTest {
  if (typeof spec === "string") return { kind: "exact", value: spec };
  if ("regex" in spec) return { kind: "regex", regex: compileRegex(spec.regex) };
  return { kind: "present", isPresent: spec.present };
}

/** Says whether a value, null for an absent one, passes. */
export function passes(test: ValueTest, value: string | null): boolean {
  if (test.kind === "present") return (value !== null) === test.isPresent;
  if (value === null) return false;
  return test.kind === "exact" ? value === test.value : test.regex.testWhole(value);
}

/** The test in words, as in `wanted "1"`. */
export function wanted(test: ValueTest): string {
  if (test.kind === "exact") return `wanted ${JSON.stringify(test.value)}`;
  if (test.kind === "regex") return `wanted to match ${test.regex.source}`;
  return test.isPresent ? "wanted it present" : "wanted it absent";
}
