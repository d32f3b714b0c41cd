import { faultNames, PATH_FAULTS, type PathFault } from "./path.ts";

/** Bits of `PATH_FAULTS` that a route accepts; 0 accepts no ambiguous path. */
export type PathPolicy = number;

/** The keys of a route's `paths` and the fault that each allows. */
export const PATH_OPTIONS = {
  dotSegments: "dot_segment",
  encodedSlash: "encoded_slash",
  encodedBackslash: "encoded_backslash",
  backslash: "backslash",
  leadingDoubleSlash: "leading_double_slash",
  nul: "nul",
  controls: "control",
  malformedEscapes: "malformed_escape",
  invalidUtf8: "not_utf8",
} as const satisfies Record<string, PathFault>;

export type PathOption = keyof typeof PATH_OPTIONS;

/** A route's `paths`; what is not named is refused. */
export type PathOptions = { readonly [Key in PathOption]?: "allow" | "refuse" | undefined };

const WORDS: Record<PathFault, string> = {
  dot_segment: "a dot segment",
  encoded_slash: "an encoded slash (%2F)",
  encoded_backslash: "an encoded backslash (%5C)",
  backslash: "a backslash",
  leading_double_slash: "a leading //",
  nul: "an encoded NUL (%00)",
  control: "a control character",
  malformed_escape: "a malformed percent escape",
  not_utf8: "bytes that are not UTF-8",
};

/** The compiled form of a route's `paths`. */
export function pathPolicy(options: PathOptions): PathPolicy {
  let policy = 0;
  for (const [option, fault] of Object.entries(PATH_OPTIONS)) {
    // Object.entries forgets the keys of a constant table.
    if (options[option as PathOption] === "allow") policy |= PATH_FAULTS[fault];
  }
  return policy;
}

/** The faults as words for people: `a dot segment, a leading //`. */
export function faultWords(faults: number): string {
  return faultNames(faults)
    .map((name) => WORDS[name])
    .join(", ");
}
