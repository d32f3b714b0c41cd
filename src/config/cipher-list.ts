import { createSecureContext } from "node:tls";

function isKnown(part: string): boolean {
  const name = part.replace(/^[!+-]/, "");
  if (name.startsWith("@")) return name === "@STRENGTH";
  try {
    createSecureContext({ ciphers: name });
    return true;
  } catch {
    return false;
  }
}

/** The first part of an OpenSSL list of ciphers that this runtime does not know; null when it knows all. */
export function unknownCipher(list: string): string | null {
  return list.split(":").find((part) => !isKnown(part)) ?? null;
}
