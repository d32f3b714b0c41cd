import type * as z from "zod";
import type { ConfigIssue } from "../errors.ts";
import type { ConfigDocument } from "./document.ts";
import { type Path, pathKey } from "./path.ts";
import type { Place } from "./types.ts";
import { wording } from "./wording.ts";

/** One fault of a value, before it is located. `at` says whether the key or the value is to be pointed at. */
export interface ValueFault {
  readonly path: Path;
  readonly at: "key" | "value";
  readonly message: string;
}

/** A part of a document: the path leads from the document's top to the part. */
export interface Spot {
  readonly document: ConfigDocument;
  readonly path: Path;
}

/** The part below a part. */
export function below(spot: Spot, ...keys: Path): Spot {
  return { document: spot.document, path: [...spot.path, ...keys] };
}

/** Where a part's value stands. */
export function placeOf(spot: Spot): Place {
  return spot.document.place(spot.path);
}

export type Checked<Output> =
  /** `input` is the value that passed: the given one, or the one with placeholders read as numbers. */
  | { readonly isValid: true; readonly data: Output; readonly input: unknown }
  | { readonly isValid: false; readonly faults: readonly ValueFault[] };

type Issue = z.core.$ZodIssue;

function isOtherType(issue: Issue): boolean {
  return issue.code === "invalid_type" && issue.path.length === 0;
}

function isOtherForm(issue: Issue): boolean {
  if (issue.code === "unrecognized_keys") return issue.path.length === 0;
  return issue.code === "invalid_type" && issue.path.length === 1 && /^is missing/.test(issue.message);
}

/** How many keys of the value a branch does not know. */
function strangers(issues: readonly Issue[]): number {
  const ofTop = issues.filter((issue) => issue.code === "unrecognized_keys" && issue.path.length === 0);
  return ofTop.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 0), 0);
}

/** The one branch that knows more of the value's keys than every other; undefined when several do. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const least = Math.min(...branches.map(strangers));
  const nearest = branches.filter((issues) => strangers(issues) === least);
  return nearest.length === 1 ? nearest[0] : undefined;
}

/** The only branch of a union that the value can have meant; undefined when that is not clear. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const sameType = branches.filter((issues) => !issues.some(isOtherType));
  if (sameType.length <= 1) return sameType[0];
  const sameForm = sameType.filter((issues) => !issues.some(isOtherForm));
  return sameForm.length === 1 ? sameForm[0] : nearestBranch(sameType);
}

function faultsOf(issue: Issue, above: Path): readonly ValueFault[] {
  const path = [...above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const messages = issue.message.split("\n");
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      at: "key",
      message: messages[index] ?? "is not a known key",
    }));
  }
  if (issue.code === "invalid_union") {
    const branch = meantBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => faultsOf(inner, path));
  }
  if (issue.code === "invalid_key") return [{ path, at: "key", message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, at: "value", message: issue.message }];
}

/** Checks a value; every fault at once, each in words that say what would be right. */
export function checkValue<Schema extends z.ZodType>(schema: Schema, value: unknown): Checked<z.output<Schema>> {
  const result = schema.safeParse(value, { error: wording });
  if (result.success) return { isValid: true, data: result.data, input: value };
  return { isValid: false, faults: result.error.issues.flatMap((issue) => faultsOf(issue, [])) };
}

/** A copy of the tree with one value replaced; the tree itself where the path leads nowhere. */
function withValue(tree: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(tree)) return tree.map((item, index) => (index === key ? withValue(item, rest, value) : item));
  if (typeof tree !== "object" || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([name, item]) => [name, name === key ? withValue(item, rest, value) : item]),
  );
}

/**
 * Checks a part of a document. A text that came from one whole placeholder
 * counts as a number or a boolean where only that is right: `port: ${PORT}` does what one means, and a token of
 * digits stays a text.
 */
export function checkPart<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  spot: Spot,
): Checked<z.output<Schema>> {
  const first = checkValue(schema, value);
  if (first.isValid || spot.document.rereads.size === 0) return first;
  let other = value;
  for (const { path } of first.faults) {
    const reread = spot.document.rereads.get(pathKey([...spot.path, ...path]));
    if (reread !== undefined) other = withValue(other, path, reread);
  }
  return other === value ? first : checkValue(schema, other);
}

/** A copy of a mapping without those keys; empty for what is none. */
export function without(value: unknown, keys: ReadonlySet<unknown>): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.has(key)));
}

/** The faults of a part, with their places in the document; none for a text whose placeholder has a fault already. */
export function locatedFaults(faults: readonly ValueFault[], spot: Spot): readonly ConfigIssue[] {
  const { document } = spot;
  return faults.flatMap(({ path, at, message }) => {
    const full = [...spot.path, ...path];
    return document.unfilled.has(pathKey(full)) ? [] : [{ ...document.place(full, at), message }];
  });
}
