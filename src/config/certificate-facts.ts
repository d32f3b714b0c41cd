import type { X509Certificate } from "node:crypto";
import { isIPv4 } from "node:net";
import { parseHostname } from "../route/hostname.ts";

/** What a certificate is called in faults: its subject on one line. */
export function subjectOf(certificate: X509Certificate): string {
  return lineOf(certificate.subject);
}

/** Its issuer on one line. */
export function issuerOf(certificate: X509Certificate): string {
  return lineOf(certificate.issuer);
}

function lineOf(name: string | undefined): string {
  const line = (name ?? "").replaceAll("\n", ", ");
  return line === "" ? "a nameless one" : JSON.stringify(line.slice(0, 200));
}

/** Says whether the second signed the first. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Says whether a certificate vouches for itself: a root, or one that stands alone. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function hostOf(entry: string): readonly string[] {
  const colon = entry.indexOf(":");
  const kind = entry.slice(0, colon);
  const value = entry.slice(colon + 1);
  if (kind === "IP Address") return [isIPv4(value) ? value : (URL.parse(`http://[${value}]`)?.hostname ?? value)];
  if (kind !== "DNS") return [];
  try {
    return [parseHostname(value)];
  } catch {
    return [];
  }
}

/** The hosts that it was made out for: names, `*.example.com` and addresses, lower case. Its common name is none of them. */
export function hostsOf(certificate: X509Certificate): readonly string[] {
  return [...new Set((certificate.subjectAltName ?? "").split(", ").flatMap(hostOf))];
}

/** SHA-256 of its DER form, lower-case hexadecimal. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}

const KEY_TYPES = { rsa: "rsa", ec: "ecdsa", ed25519: "ed25519" } as const;

/** The type of its key as TLS knows it; null for one that cannot serve. */
export function keyTypeOf({ publicKey }: X509Certificate): (typeof KEY_TYPES)[keyof typeof KEY_TYPES] | null {
  const type = publicKey.asymmetricKeyType;
  return type === "rsa" || type === "ec" || type === "ed25519" ? KEY_TYPES[type] : null;
}

const CURVES: ReadonlySet<string | undefined> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const SHORTEST_RSA = 2048;

function weakKey(certificate: X509Certificate): string | null {
  const { asymmetricKeyDetails: details, asymmetricKeyType: type } = certificate.publicKey;
  const bits = details?.modulusLength ?? 0;
  if (type === "rsa" && bits < SHORTEST_RSA) return `an RSA key of ${bits} bits; make one of ${SHORTEST_RSA} or more`;
  if (type === "ec" && !CURVES.has(details?.namedCurve)) {
    return `a key on the curve ${details?.namedCurve}; make one on P-256, P-384 or P-521`;
  }
  return null;
}

function weakSignature({ signatureAlgorithm = "" }: X509Certificate): string | null {
  if (!/sha1|md5|md4|md2|sha-1/i.test(signatureAlgorithm)) return null;
  return `the signature ${signatureAlgorithm}; have it issued anew with SHA-256`;
}

/** What of it is too weak to be trusted, and what would be right; null when nothing is. */
export function weaknessOf(certificate: X509Certificate, isLeaf: boolean): string | null {
  // Nobody verifies the signature of a root.
  return weakKey(certificate) ?? (isLeaf || !isSelfSigned(certificate) ? weakSignature(certificate) : null);
}
