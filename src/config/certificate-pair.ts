import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { ConfigIssue } from "../errors.ts";
import { addFault, type Building } from "./building.ts";
import { chainFinding } from "./certificate-chain.ts";
import { datesOf, expiryWarning, invalidity } from "./certificate-dates.ts";
import { fingerprintOf, keyTypeOf, subjectOf, weaknessOf } from "./certificate-facts.ts";
import { placeOf } from "./check.ts";
import { joinPem, type PemBlock, pemBlocks } from "./pem.ts";
import type { PemAt } from "./pem-files.ts";
import type { CertificateConfig } from "./types.ts";

/** What certificates are judged by. */
export interface Vetting extends Pick<Building, "issues"> {
  readonly warnings: ConfigIssue[];
  /** Epoch milliseconds. */
  readonly nowAt: number;
  /** Fingerprints of certificates in force already: one of them that expired is no fault but a warning. */
  readonly inForce: ReadonlySet<string>;
  /** Remembers a text that must never be shown. */
  readonly keepSecret: (text: string) => void;
}

/** What a certificate and its key are judged by. */
export interface PairVetting extends Vetting {
  /** Who is shown a leaf alone holds its issuer: so do servers that ask clients for certificates of an authority. */
  readonly isIssuerHeld?: boolean;
}

/** A certificate with its chain, and the key that belongs to it. */
export interface CertificatePair {
  readonly leaf: X509Certificate;
  readonly certPem: string;
  readonly keyPem: string;
  readonly keyType: CertificateConfig["keyType"];
  readonly fingerprint: string;
}

const isKeyBlock = ({ label }: PemBlock) => label.endsWith("PRIVATE KEY");
const isCertificateBlock = ({ label }: PemBlock) => label === "CERTIFICATE";

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(":").at(-1) ?? message;
}

function absence(origin: string, blocks: readonly PemBlock[]): string {
  if (blocks.some(isKeyBlock)) {
    return `${origin} holds a private key where a certificate must stand; give a certificate`;
  }
  const found = blocks[0] === undefined ? "" : `, but ${blocks[0].label}`;
  return `${origin} holds no certificate in PEM${found}; it must have a line -----BEGIN CERTIFICATE-----`;
}

/** The certificates of a text, in order; null, with a fault, when there is none or one cannot be read. */
export function certificatesOf({ text, origin, spot }: PemAt, building: Pick<Building, "issues">) {
  const blocks = pemBlocks(text);
  const own = blocks.filter(isCertificateBlock);
  if (own.length === 0) {
    addFault(building, spot, absence(origin, blocks));
    return null;
  }
  try {
    return { pem: joinPem(own), certificates: own.map((block) => new X509Certificate(block.text)) };
  } catch (error) {
    addFault(building, spot, `${origin} holds a certificate that cannot be read (${reasonOf(error)}); export it anew`);
    return null;
  }
}

function keyAbsence(origin: string, blocks: readonly PemBlock[]): string {
  if (blocks.some(isCertificateBlock)) {
    return `${origin} holds a certificate where a private key must stand; give the key`;
  }
  return `${origin} holds no private key in PEM; it must have a line -----BEGIN PRIVATE KEY-----`;
}

function isEncrypted({ label, text }: PemBlock): boolean {
  return label.startsWith("ENCRYPTED") || /^Proc-Type:.*ENCRYPTED/m.test(text);
}

function privateKeyOf({ text, origin, spot }: PemAt, vetting: Vetting) {
  const blocks = pemBlocks(text);
  const block = blocks.find(isKeyBlock);
  const refuse = (message: string) => {
    addFault(vetting, spot, message);
    return null;
  };
  if (block === undefined) return refuse(keyAbsence(origin, blocks));
  const pem = joinPem([block]);
  for (const secret of [pem, pem.trimEnd(), block.text]) vetting.keepSecret(secret);
  if (isEncrypted(block)) {
    return refuse(`${origin} is encrypted; decrypt it (openssl pkey -in … -out …) and guard the file by its mode`);
  }
  try {
    return { pem, key: createPrivateKey(pem) };
  } catch (error) {
    return refuse(`${origin} holds a private key that cannot be read (${reasonOf(error)}); export it anew`);
  }
}

function mismatch(certificates: readonly X509Certificate[], key: KeyObject, origins: readonly [string, string]) {
  if (certificates[0]?.checkPrivateKey(key) === true) return null;
  const [certOrigin, keyOrigin] = origins;
  const other = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (other < 0) {
    const who =
      keyOrigin === certOrigin
        ? "the key does not belong to the certificate"
        : `${keyOrigin} does not belong to ${certOrigin}`;
    return `${who}; give the key that the certificate was issued for`;
  }
  return `${keyOrigin} belongs to certificate ${other + 1} of ${certOrigin}; put that one first, then its issuers`;
}

function warnSoon(leaf: X509Certificate, { origin, spot }: Pick<PemAt, "origin" | "spot">, vetting: Vetting): void {
  const message = expiryWarning(datesOf(leaf).notAfterAt, vetting.nowAt);
  if (message !== null) vetting.warnings.push({ ...placeOf(spot), message: `${origin} ${message}` });
}

function checkDates(chain: readonly X509Certificate[], { origin, spot }: PemAt, vetting: Vetting): void {
  for (const [index, certificate] of chain.entries()) {
    const message = invalidity(certificate, vetting.nowAt);
    if (message === null) {
      if (index === 0) warnSoon(certificate, { origin, spot }, vetting);
      continue;
    }
    // Some authorities leave an expired certificate at the end of a chain on purpose, for old clients.
    const isFault = index === 0 && !vetting.inForce.has(fingerprintOf(certificate));
    const who = index === 0 ? origin : `${subjectOf(certificate)} in ${origin}`;
    (isFault ? vetting.issues : vetting.warnings).push({ ...placeOf(spot), message: `${who} ${message}` });
  }
}

function checkChain(chain: readonly X509Certificate[], { origin, spot }: PemAt, vetting: PairVetting): void {
  for (const [index, certificate] of chain.entries()) {
    const weakness = weaknessOf(certificate, index === 0);
    if (weakness !== null) addFault(vetting, spot, `${subjectOf(certificate)} in ${origin} has ${weakness}`);
  }
  const finding = chainFinding(chain);
  if (finding === null || (!finding.isCertain && vetting.isIssuerHeld === true)) return;
  const issue = { ...placeOf(spot), message: `${origin} ${finding.message}` };
  (finding.isCertain ? vetting.issues : vetting.warnings).push(issue);
}

/** Reads a certificate and its key and judges them; null, with at least one fault, when they cannot serve at all. */
export function readPair(cert: PemAt, key: PemAt, vetting: PairVetting): CertificatePair | null {
  const read = certificatesOf(cert, vetting);
  const own = privateKeyOf(key, vetting);
  const leaf = read?.certificates[0];
  if (read === null || own === null || leaf === undefined) return null;
  const fault = mismatch(read.certificates, own.key, [cert.origin, key.origin]);
  if (fault !== null) {
    addFault(vetting, key.spot, fault);
    return null;
  }
  const keyType = keyTypeOf(leaf);
  if (keyType === null) {
    const type = own.key.asymmetricKeyType;
    addFault(vetting, cert.spot, `${cert.origin} has a key of type ${type}; make one of type ECDSA, RSA or Ed25519`);
    return null;
  }
  checkDates(read.certificates, cert, vetting);
  checkChain(read.certificates, cert, vetting);
  return { leaf, certPem: read.pem, keyPem: own.pem, keyType, fingerprint: fingerprintOf(leaf) };
}
