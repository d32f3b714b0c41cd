import { authoritiesOf } from "./authorities.ts";
import { addFault } from "./building.ts";
import { datesOf } from "./certificate-dates.ts";
import { hostsOf } from "./certificate-facts.ts";
import { checkTwins } from "./certificate-hosts.ts";
import { type CertificatePair, readPair, type Vetting } from "./certificate-pair.ts";
import { type StoredCertificates, storedPair } from "./certificate-store.ts";
import { below, type Spot } from "./check.ts";
import { hasCipher, unknownCipher } from "./cipher-list.ts";
import type { CertificateDocument, TlsDocument } from "./listener-schema.ts";
import type { Pace } from "./pace.ts";
import type { PemAt, PemFiles } from "./pem-files.ts";
import { revocationLists } from "./revocation-list.ts";
import type { CertificateConfig, ClientAuthConfig, TlsConfig } from "./types.ts";
import { quote } from "./wording.ts";

/** What the `tls` part of a listener is read with. */
export interface TlsReading {
  readonly pem: PemFiles;
  readonly stored: StoredCertificates;
  /** False: what `redis` says has faults of its own, or was not read. */
  readonly knowsRedis: boolean;
  /** Where the gateway stands; null: nobody says. */
  readonly zone: string | null;
  readonly vetting: Vetting;
  readonly pace: Pace;
}

interface Texts {
  readonly cert: PemAt;
  readonly key: PemAt;
  readonly storeName: string | null;
}

async function textsOf(written: CertificateDocument, spot: Spot, reading: TlsReading): Promise<Texts | null> {
  if ("store" in written) {
    const pair = await storedPair(written.store, below(spot, "store"), reading);
    return pair === null ? null : { ...pair, storeName: written.store };
  }
  const cert = reading.pem.read(written.cert, below(spot, "cert"));
  const key = reading.pem.read(written.key, below(spot, "key"));
  return cert === null || key === null ? null : { cert, key, storeName: null };
}

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_USAGE = "2.5.29.37.0";

/** Why clients would not take it from a server; null when they do. */
function unfitness({ leaf }: CertificatePair, names: readonly string[]): string | null {
  if (names.length === 0) {
    return "names no host: it has no subjectAltName of type DNS or IP, and a common name does not count; have it issued with one";
  }
  const usages: readonly string[] = leaf.keyUsage ?? [];
  if (usages.length === 0 || usages.includes(SERVER_AUTH) || usages.includes(ANY_USAGE)) return null;
  return "is not for servers: its extended key usage lacks serverAuth; have it issued with that";
}

function certificateConfig({ cert, key, storeName }: Texts, vetting: Vetting): CertificateConfig | null {
  const pair = readPair(cert, key, vetting);
  if (pair === null) return null;
  const names = hostsOf(pair.leaf);
  const unfit = unfitness(pair, names);
  if (unfit !== null) addFault(vetting, cert.spot, `${cert.origin} ${unfit}`);
  const { notAfterAt } = datesOf(pair.leaf);
  const { certPem, keyPem, keyType, fingerprint } = pair;
  return { names, certPem, keyPem, keyType, notAfterAt, fingerprint, origin: cert.origin, storeName };
}

async function certificateConfigs(written: TlsDocument, spot: Spot, reading: TlsReading) {
  const read: { readonly certificate: CertificateConfig; readonly spot: Spot }[] = [];
  for (const [index, one] of written.certificates.entries()) {
    const at = below(spot, "certificates", index);
    const texts = await textsOf(one, at, reading);
    const certificate = texts === null ? null : certificateConfig(texts, reading.vetting);
    if (texts !== null && certificate !== null) read.push({ certificate, spot: texts.cert.spot });
    await reading.pace.rest();
  }
  checkTwins(read, reading.vetting);
  return read.map(({ certificate }) => certificate);
}

function clientAuthConfig(
  written: TlsDocument["clientAuth"],
  spot: Spot,
  reading: TlsReading,
): ClientAuthConfig | null {
  if (written === undefined) return null;
  const ca = reading.pem.read(written.ca, below(spot, "ca"));
  const crl = written.crl === undefined ? null : reading.pem.read(written.crl, below(spot, "crl"));
  const caPem = ca === null ? null : authoritiesOf(ca, reading.vetting);
  const crlPem = crl === null ? null : revocationLists(crl, { vetting: reading.vetting, caPem });
  return { mode: written.mode, caPem: caPem ?? "", crlPem };
}

const CIPHERS = "write OpenSSL's names, such as ECDHE-ECDSA-AES128-GCM-SHA256";

function checkCiphers(list: string, spot: Spot, vetting: Vetting): void {
  const unknown = unknownCipher(list);
  if (unknown !== null) addFault(vetting, spot, `${quote(unknown)} is no cipher known here; ${CIPHERS}`);
  else if (!hasCipher(list)) addFault(vetting, spot, `${quote(list)} leaves no cipher; ${CIPHERS}`);
}

/**
 * The `tls` part of a listener at `spot`, its files read and judged. What is wrong becomes a fault; the certificates
 * are then only those that can serve.
 */
export async function tlsConfig(written: TlsDocument, spot: Spot, reading: TlsReading): Promise<TlsConfig> {
  if (written.ciphers !== undefined) checkCiphers(written.ciphers, below(spot, "ciphers"), reading.vetting);
  return {
    certificates: await certificateConfigs(written, spot, reading),
    minVersion: written.minVersion,
    ciphers: written.ciphers ?? null,
    isStrictSni: written.strictSni,
    clientAuth: clientAuthConfig(written.clientAuth, below(spot, "clientAuth"), reading),
  };
}
