import { addressMatcher, type PluginContext } from "../../src/plugin.ts";
import type { KeySource } from "./limit-key.ts";
import { keyOfTexts } from "./limit-key-text.ts";

export interface ExemptOptions {
  readonly by: string | KeySource;
  readonly allow: readonly string[];
  readonly allowKeys: readonly string[];
}

/** Says who is not counted, by address or by key; null: all are. */
export function exemptions({
  by,
  allow,
  allowKeys,
}: ExemptOptions): ((context: PluginContext, key: string) => boolean) | null {
  if (allow.length === 0 && allowKeys.length === 0) return null;
  const isAllowed = addressMatcher(allow);
  const keyOf = keyOfTexts(by);
  const known = new Set(allowKeys.map((text) => keyOf([text])));
  return ({ env }, key) => known.has(key) || isAllowed(env.client.address);
}
