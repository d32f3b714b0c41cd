/** What stands in place of a secret wherever configuration is shown. */
export const MASK = "***";

const SECRET_FIELD = /^(.*[-_])?(token|key|secret|password|authorization|cookie|credential)s?$|^keyPem$/i;
const SECRET_TAIL = /[a-z0-9](Token|Key|Secret|Password)s?$/;
const PUBLIC_FIELD = /public-?key|^key(Name|Id)$/i;

/** Says whether a field of this name holds a secret by its nature: `token`, `clientSecret`, `authorization`. */
export function isSecretField(name: string): boolean {
  return (SECRET_FIELD.test(name) || SECRET_TAIL.test(name)) && !PUBLIC_FIELD.test(name);
}

// A shorter secret would be found by chance inside other words.
const SHORT = 8;

/** Says whether a secret is only recognised where it stands alone. */
export function isShortSecret(secret: string): boolean {
  return secret.length < SHORT;
}

/**
 * The text with every secret in it replaced by `***`, as it is or as JSON escapes it; secrets must come longest first.
 * A short secret is replaced only where it is the whole text or stands in quotes.
 */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    if (masked === secret) return MASK;
    const quoted = JSON.stringify(secret);
    if (isShortSecret(secret)) masked = masked.replaceAll(quoted, JSON.stringify(MASK));
    else masked = masked.replaceAll(secret, MASK).replaceAll(quoted.slice(1, -1), MASK);
  }
  return masked;
}
