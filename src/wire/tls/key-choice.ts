import type { ClientHello } from "./client-hello.ts";

export type KeyType = "rsa" | "ecdsa" | "ed25519";

// Signature schemes (RFC 8446 4.2.3) by the key that makes them.
const SCHEMES: Readonly<Record<KeyType, (scheme: number) => boolean>> = {
  rsa: (scheme) => RSA_SCHEMES.has(scheme),
  ecdsa: (scheme) => ECDSA_SCHEMES.has(scheme),
  ed25519: (scheme) => scheme === 0x0807,
};
const RSA_SCHEMES = new Set([0x0401, 0x0501, 0x0601, 0x0804, 0x0805, 0x0806]);
const ECDSA_SCHEMES = new Set([0x0403, 0x0503, 0x0603]);

/** Cipher suites of TLS 1.2 that go with such a key; those of TLS 1.3 go with any. */
const ECDSA_CIPHERS = new Set([0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9]);
const RSA_CIPHERS = new Set([
  0x002f, 0x0035, 0x003c, 0x003d, 0x009c, 0x009d, 0xc013, 0xc014, 0xc027, 0xc028, 0xc02f, 0xc030, 0xcca8,
]);
const TLS_1_3 = 0x0304;

/** Says whether a client takes a certificate with this kind of key. */
export function takesKey(hello: ClientHello, keyType: KeyType): boolean {
  const { signatures, versions, ciphers } = hello;
  const hasScheme = signatures === null ? keyType === "rsa" : signatures.some(SCHEMES[keyType]);
  if (!hasScheme || versions.includes(TLS_1_3)) return hasScheme;
  const fitting = keyType === "rsa" ? RSA_CIPHERS : ECDSA_CIPHERS;
  return ciphers.some((cipher) => fitting.has(cipher));
}
