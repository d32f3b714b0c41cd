import type { DnsSource } from "../registry/dns-source.ts";
import type { UpstreamTls } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { DnsDocument } from "./dns-schema.ts";
import type { ServiceDocument } from "./service-schema.ts";

type Issues = Pick<Building, "issues">;

const EXAMPLE = "{ name: catalog.internal, port: 8080 } or { srv: _http._tcp.catalog.internal }";

/** Adds a fault for what does not name exactly one thing to ask for. */
function checkQuestion({ name, port, srv }: DnsDocument, spot: Spot, building: Issues): void {
  if (name === undefined && srv === undefined) addFault(building, spot, `says no name; write ${EXAMPLE}`);
  if (name !== undefined && srv !== undefined) {
    addFault(building, below(spot, "srv"), "stands beside name; write one of them");
  }
  if (srv !== undefined && name === undefined && port !== undefined) {
    addFault(building, below(spot, "port"), "stands beside srv, whose records have the ports; remove it");
  }
  if (name !== undefined && srv === undefined && port === undefined) {
    addFault(building, below(spot, "name"), "needs a port; write port: 8080, or srv for records that have it");
  }
}

/** Adds a fault for a scheme that does not go with the service's protocol, or leaves its `tls` without use. */
function checkScheme(written: ServiceDocument, { scheme }: DnsDocument, spot: Spot, building: Issues): void {
  const { protocol, tls } = written;
  const wanted = { http1: null, h2: "https", h2c: "http" } as const;
  const needed = wanted[protocol];
  if (needed !== null && scheme !== needed) {
    const message = `does not go with protocol: ${protocol}; write scheme: ${needed}`;
    addFault(building, below(spot, "dns", "scheme"), message);
  } else if (tls !== undefined && scheme === "http") {
    addFault(building, below(spot, "tls"), "is used by no endpoint; write scheme: https in dns, or remove it");
  }
}

/** What a service with `discover: dns` asks DNS for; undefined for other services. Faulty ones get their faults. */
export function dnsSource(written: ServiceDocument, spot: Spot, building: Issues): DnsSource | undefined {
  const { dns, discover = "dns" } = written;
  if (dns === undefined) {
    if (discover === "dns" && written.discover !== undefined) {
      addFault(building, below(spot, "discover"), `"dns" needs a name; write dns: ${EXAMPLE}`);
    }
    return undefined;
  }
  if (discover !== "dns") {
    addFault(building, below(spot, "dns"), `stands beside discover: ${discover}; write discover: dns or remove it`);
    return undefined;
  }
  checkQuestion(dns, below(spot, "dns"), building);
  checkScheme(written, dns, spot, building);
  const { name, srv, port, resolver, scheme } = dns;
  return { name: srv ?? name ?? "", port: srv === undefined ? (port ?? 0) : null, resolver: resolver ?? null, scheme };
}

/**
 * TLS to endpoints that are addresses: unless a name is given, their certificates must be for the name that was asked
 * for, without what SRV puts before it. The name of an SRV record's host is not trusted (RFC 6125, section 1.2).
 */
export function namedTls(tls: UpstreamTls | null, { name, scheme }: DnsSource): UpstreamTls | null {
  if (scheme === "http") return tls;
  const serverName = tls?.serverName ?? name.replace(/^(_[^.]+\.)+/, "");
  return { caPem: null, certPem: null, keyPem: null, ...tls, serverName };
}
