import { isSecretField } from "./mask.ts";
import { isBarePem, isInlinePem } from "./pem.ts";

const CREDENTIALS = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:([^/?#@]+)@/i;
/** Where a Redis is named. What is no URL there may be one with a part left out, or with a password that is not encoded. */
const REDIS_PARTS: ReadonlySet<string> = new Set(["redis", "sentinels", "cluster"]);
const TLS_PARTS: ReadonlySet<string> = new Set(["tls", "certificates"]);

/** `tls.key` names a file, which faults must be able to name too, unless it is the key itself. */
function isPathOfKey(key: string, parent: string, text: string): boolean {
  return key === "key" && TLS_PARTS.has(parent) && !isInlinePem(text) && !isBarePem(text);
}

function keepText(text: string, { key, parent }: { readonly key: string; readonly parent: string }, keep: Keep): void {
  if (isSecretField(key) && !isPathOfKey(key, parent, text)) keep(text);
  if (text.includes("@") && (REDIS_PARTS.has(key) || REDIS_PARTS.has(parent))) keep(text);
  const password = CREDENTIALS.exec(text)?.[1];
  if (password === undefined) return;
  // A short password is not recognised within a longer text, so all of the text is one too.
  for (const secret of [text, password]) keep(secret);
}

type Keep = (text: string) => void;

function walk(value: unknown, parent: string, into: { readonly keep: Keep; readonly seen: Set<unknown> }): void {
  // A module's value may hold itself.
  if (typeof value !== "object" || value === null || into.seen.has(value)) return;
  into.seen.add(value);
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === "string") keepText(item, { key, parent }, into.keep);
    else walk(item, Array.isArray(value) ? parent : key, into);
  }
}

/** Calls `keep` for each text of a document that is a secret by its field's name, or a URL with a password. */
export function keepSecrets(value: unknown, keep: Keep): void {
  walk(value, "", { keep, seen: new Set() });
}
