import { stringify } from "yaml";
import { isSecretField, MASK, maskSecrets } from "./mask.ts";
import { isInlinePem } from "./pem.ts";
import type { Loaded } from "./source.ts";

function isPlace(value: object): value is { readonly file: string; readonly line: number | null } {
  return "file" in value && "field" in value && "column" in value;
}

function shownText(key: string, text: string, secrets: readonly string[]): string {
  if (isSecretField(key) && text !== "") return MASK;
  const masked = maskSecrets(text, secrets);
  // What it says is shown beside it, in words.
  return isInlinePem(masked) ? `PEM of ${masked.length} bytes` : masked;
}

function shownScalar(value: unknown, secrets: readonly string[]): unknown {
  // A secret of digits may have become a number.
  if (typeof value === "number") return secrets.includes(String(value)) ? MASK : value;
  return typeof value === "function" ? `function ${value.name}`.trimEnd() : value;
}

function shown(key: string, value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "string") return shownText(key, value, secrets);
  if (Array.isArray(value)) return value.map((item) => shown(key, item, secrets));
  if (typeof value !== "object" || value === null) return shownScalar(value, secrets);
  if (isPlace(value)) return value.line === null ? value.file : `${value.file}:${value.line}`;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [maskSecrets(name, secrets), shown(name, item, secrets)]),
  );
}

/** The checked configuration as YAML, places as `file:line`; every secret is `***`. */
export function showConfig(loaded: Pick<Loaded, "config" | "secrets">): string {
  // Without aliases: a plugin of the defaults stands in many routes.
  return stringify(shown("", loaded.config, loaded.secrets), { aliasDuplicateObjects: false, lineWidth: 0 });
}
