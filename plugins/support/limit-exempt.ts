import { addressMatcher, type PluginContext } from "../../src/plugin.ts";
import { keyPart } from "./limit-key.ts";

export interface ExemptOptions {
  readonly allow: readonly string[];
  readonly allowKeys: readonly string[];
}

/** Says who is not counted, by address or by key; null: all are. */
export function exemptions({
  allow,
  allowKeys,
}: ExemptOptions): ((context: PluginContext, key: string) => boolean) | null {
  if (allow.length === 0 && allowKeys.length === 0) return null;
  const isAllowed = addressMatcher(allow);
  const known = new Set(allowKeys.map(keyPart));
  return ({ env }, key) => known.has(key) || isAllowed(env.client.address);
}
