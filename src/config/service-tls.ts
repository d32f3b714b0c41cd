import type { UpstreamTls } from "../service/options.ts";
import { authoritiesOf } from "./authorities.ts";
import { addFault } from "./building.ts";
import { type CertificatePair, readPair } from "./certificate-pair.ts";
import { below, type Spot } from "./check.ts";
import type { ServiceDocument } from "./service-schema.ts";
import type { TlsReading } from "./tls-config.ts";
import type { UpstreamTlsDocument } from "./upstream-tls-schema.ts";

type Reading = Pick<TlsReading, "pem" | "vetting">;
type Written = UpstreamTlsDocument;

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";

function isForClients({ leaf }: CertificatePair): boolean {
  const usages: readonly string[] = leaf.keyUsage ?? [];
  return usages.length === 0 || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USAGE);
}

function ownPair(written: Written, spot: Spot, { pem, vetting }: Reading): CertificatePair | null {
  if (written.cert === undefined && written.key === undefined) return null;
  if (written.cert === undefined || written.key === undefined) {
    const [given, missing] = written.key === undefined ? ["cert", "key"] : ["key", "cert"];
    addFault(vetting, below(spot, given), `stands without ${missing}; write both, or neither`);
    return null;
  }
  const cert = pem.read(written.cert, below(spot, "cert"));
  const key = pem.read(written.key, below(spot, "key"));
  const pair = cert === null || key === null ? null : readPair(cert, key, { ...vetting, isIssuerHeld: true });
  if (cert !== null && pair !== null && !isForClients(pair)) {
    const message = "is not for clients: its extended key usage lacks clientAuth; have it issued with that";
    addFault(vetting, cert.spot, `${cert.origin} ${message}`);
  }
  return pair;
}

/** The `tls` part of a service, or of `redis`, at `spot`, its files read and judged; null where it says nothing. */
export function upstreamTls(written: Written | undefined, spot: Spot, reading: Reading): UpstreamTls | null {
  if (written === undefined || Object.keys(written).length === 0) return null;
  const ca = written.ca === undefined ? null : reading.pem.read(written.ca, below(spot, "ca"));
  const pair = ownPair(written, spot, reading);
  return {
    caPem: ca === null ? null : authoritiesOf(ca, reading.vetting),
    serverName: written.serverName ?? null,
    certPem: pair?.certPem ?? null,
    keyPem: pair?.keyPem ?? null,
  };
}

/** Adds a fault for each endpoint whose URL does not go with the service's protocol, and for `tls` that none uses. */
export function checkSchemes(written: ServiceDocument, spot: Spot, { vetting }: Reading): void {
  const { endpoints = [], protocol } = written;
  const isTls = (url: string) => url.startsWith("https:");
  const wanted = { http1: null, h2: "https", h2c: "http" } as const;
  const scheme = wanted[protocol];
  for (const [index, { url }] of endpoints.entries()) {
    if (scheme === null || isTls(url) === (scheme === "https")) continue;
    const other = protocol === "h2" ? "h2c" : "h2";
    const message = `does not go with protocol: ${protocol}; write ${scheme}://, or protocol: ${other}`;
    addFault(vetting, below(spot, "endpoints", index, "url"), message);
  }
  if (written.tls === undefined || endpoints.length === 0 || endpoints.some(({ url }) => isTls(url))) return;
  addFault(vetting, below(spot, "tls"), "is used by no endpoint; write https:// in their URLs, or remove it");
}
