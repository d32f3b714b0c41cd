import { addFault } from "./building.ts";
import { checkCovered } from "./certificate-hosts.ts";
import { below, placeOf, type Spot } from "./check.ts";
import { checkFit, protocolOf } from "./listener-fit.ts";
import type { ListenerDocument } from "./listener-schema.ts";
import { sharingFault } from "./listener-sharing.ts";
import { type TlsReading, tlsConfig } from "./tls-config.ts";
import type { HstsConfig, ListenerConfig } from "./types.ts";
import { quote } from "./wording.ts";

const PRELOAD_AGE_SECONDS = 365 * 86_400;

function hstsConfig(written: ListenerDocument["hsts"], spot: Spot, reading: TlsReading): HstsConfig | null {
  if (written === undefined) return null;
  if (written.preload && !(written.includeSubDomains && written.maxAge >= PRELOAD_AGE_SECONDS)) {
    const message = "is only taken by browsers with includeSubDomains: true and a maxAge of 365d or more; write both";
    addFault(reading.vetting, below(spot, "preload"), message);
  }
  return {
    maxAgeSeconds: written.maxAge,
    includesSubdomains: written.includeSubDomains,
    isPreloaded: written.preload,
  };
}

function redirectPort(written: ListenerDocument["redirectToHttps"]): number | null {
  if (typeof written === "object") return written.port;
  return written === true ? 443 : null;
}

async function listenerConfig(written: ListenerDocument, spot: Spot, reading: TlsReading): Promise<ListenerConfig> {
  checkFit(written, spot, reading.vetting);
  const protocol = protocolOf(written);
  const isHttp = protocol === "http" || protocol === "https";
  const tls = written.tls === undefined ? null : await tlsConfig(written.tls, below(spot, "tls"), reading);
  // With a certificate that is faulty itself nothing can be said of what the others leave out.
  if (protocol === "https" && tls !== null && tls.certificates.length === written.tls?.certificates.length) {
    checkCovered(written.hostnames, spot, { certificates: tls.certificates, building: reading.vetting });
  }
  return {
    name: written.name,
    protocol,
    tls,
    hasHttp2: isHttp && (written.http2 ?? true),
    hasHttp3: written.http3 === true || written.http3 === "experimental",
    expectsProxyProtocol: written.proxyProtocol,
    httpsRedirectPort: redirectPort(written.redirectToHttps),
    hsts: hstsConfig(written.hsts, below(spot, "hsts"), reading),
    address: written.address,
    port: written.port,
    hostnames: written.hostnames,
    source: placeOf(spot),
  };
}

function checkName(name: string, names: Map<string, number>, at: { readonly spot: Spot; readonly index: number }) {
  const first = names.get(name);
  if (first === undefined) names.set(name, at.index);
  return first === undefined ? null : `${quote(name)} is the name of listener ${first} already; choose another`;
}

/** Listeners with their places, at `spot`; a name that two of them have is a fault, and a port that they cannot share. */
export async function listenerConfigs(
  written: readonly ListenerDocument[],
  spot: Spot,
  reading: TlsReading,
): Promise<readonly ListenerConfig[]> {
  const names = new Map<string, number>();
  const listeners: ListenerConfig[] = [];
  for (const [index, document] of written.entries()) {
    const at = below(spot, index);
    const nameFault = checkName(document.name, names, { spot, index });
    if (nameFault !== null) addFault(reading.vetting, below(at, "name"), nameFault);
    const listener = await listenerConfig(document, at, reading);
    const others = listeners.filter(
      ({ address, port }) => port !== 0 && address === listener.address && port === listener.port,
    );
    const portFault = others.map((other) => sharingFault(listener, other)).find((fault) => fault !== null);
    if (portFault !== undefined && portFault !== null) addFault(reading.vetting, below(at, "port"), portFault);
    listeners.push(listener);
  }
  return listeners;
}
