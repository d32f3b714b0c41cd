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

/** Cipher suites of TLS 1.2, by OpenSSL's names, that go with such a key; those of TLS 1.3 go with any. */
const ECDSA_CIPHERS: ReadonlyMap<string, number> = new Map([
  ["ECDHE-ECDSA-AES128-SHA", 0xc009],
  ["ECDHE-ECDSA-AES256-SHA", 0xc00a],
  ["ECDHE-ECDSA-AES128-SHA256", 0xc023],
  ["ECDHE-ECDSA-AES256-SHA384", 0xc024],
  ["ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b],
  ["ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c],
  ["ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9],
]);
const RSA_CIPHERS: ReadonlyMap<string, number> = new Map([
  ["AES128-SHA", 0x002f],
  ["AES256-SHA", 0x0035],
  ["AES128-SHA256", 0x003c],
  ["AES256-SHA256", 0x003d],
  ["AES128-GCM-SHA256", 0x009c],
  ["AES256-GCM-SHA384", 0x009d],
  ["ECDHE-RSA-AES128-SHA", 0xc013],
  ["ECDHE-RSA-AES256-SHA", 0xc014],
  ["ECDHE-RSA-AES128-SHA256", 0xc027],
  ["ECDHE-RSA-AES256-SHA384", 0xc028],
  ["ECDHE-RSA-AES128-GCM-SHA256", 0xc02f],
  ["ECDHE-RSA-AES256-GCM-SHA384", 0xc030],
  ["ECDHE-RSA-CHACHA20-POLY1305", 0xcca8],
]);
const TLS_1_3 = 0x0304;

/** The cipher suites that a list names one by one; null, for any, where it is written with groups of them. */
export function allowedCiphers(list: string): ReadonlySet<number> | null {
  const ids = list.split(":").map((name) => ECDSA_CIPHERS.get(name) ?? RSA_CIPHERS.get(name));
  const known = ids.filter((id) => id !== undefined);
  return known.length === ids.length ? new Set(known) : null;
}

/** Says whether a client takes a certificate with this kind of key, by ciphers that are allowed; null allows any. */
export function takesKey(hello: ClientHello, keyType: KeyType, allowed: ReadonlySet<number> | null): boolean {
  const { signatures, versions, ciphers } = hello;
  const hasScheme = signatures === null ? keyType === "rsa" : signatures.some(SCHEMES[keyType]);
  if (!hasScheme || versions.includes(TLS_1_3)) return hasScheme;
  const fitting = [...(keyType === "rsa" ? RSA_CIPHERS : ECDSA_CIPHERS).values()];
  return fitting.some((cipher) => (allowed?.has(cipher) ?? true) && ciphers.includes(cipher));
}
