import { createSecureContext } from "node:tls";

function isTaken(ciphers: string): boolean {
  try {
    createSecureContext({ ciphers });
    return true;
  } catch {
    return false;
  }
}

function isKnown(part: string): boolean {
  const name = part.replace(/^[!+-]/, "");
  return name.startsWith("@") ? name === "@STRENGTH" : isTaken(name);
}

/** The first part of an OpenSSL list of ciphers that this runtime does not know; null when it knows all. */
export function unknownCipher(list: string): string | null {
  return list.split(":").find((part) => !isKnown(part)) ?? null;
}

/** Says whether a list, all parts of which are known, leaves a cipher. */
export function hasCipher(list: string): boolean {
  return isTaken(list);
}
