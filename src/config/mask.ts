/** What stands in place of a secret wherever configuration is shown. */
export const MASK = "***";

const SECRET_FIELD =
  /^(.*[-_])?(token|key|secret|password|authorization|cookie|credential)s?$|[a-z](Token|Key|Secret|Password)s?$/i;
const PUBLIC_FIELD = /public-?key|^key(Name|Id)$/i;

/** Says whether a field of this name holds a secret by its nature: `token`, `clientSecret`, `authorization`. */
export function isSecretField(name: string): boolean {
  return SECRET_FIELD.test(name) && !PUBLIC_FIELD.test(name);
}

/** The text with every secret in it replaced by `***`; secrets must come longest first. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of secrets) if (secret !== "") masked = masked.replaceAll(secret, MASK);
  return masked;
}
