import { addressMatcher, type CountDecision, type PluginContext } from "../../src/plugin.ts";
import { type KeySource, keyReader } from "./limit-key.ts";
import { keyOfTexts } from "./limit-key-text.ts";

export interface ExemptOptions {
  readonly by: string | KeySource;
  readonly allow: readonly string[];
  readonly allowKeys: readonly string[];
}

/** Says who is exempt, by address or by key; null: nobody is. */
function exemptions({
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

/** Reads the key of a request that is limited; null: it is exempt, and was counted as that. */
export function limitedKeyReader(
  options: ExemptOptions,
  count: CountDecision,
): (context: PluginContext) => string | null {
  const keyOf = keyReader(options.by);
  const isExempt = exemptions(options);
  if (isExempt === null) return keyOf;
  return (context) => {
    const key = keyOf(context);
    if (!isExempt(context, key)) return key;
    count("exempt", "leased");
    return null;
  };
}
