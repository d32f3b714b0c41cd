import { hostMatches } from "../route/hostname.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { CertificateConfig } from "./types.ts";
import { quote } from "./wording.ts";

/** Says whether a certificate's name is good for a host; its `*` stands for exactly one label (RFC 9525). */
function isGoodFor(name: string, host: string): boolean {
  if (!name.startsWith("*.")) return name === host;
  return hostMatches(name, host) && !host.slice(0, 1 - name.length).includes(".");
}

/** A hostname with `*` stands for many hosts: a certificate for some of them is enough. */
function isCovered(hostname: string, names: readonly string[]): boolean {
  if (hostname === "*") return true;
  if (!hostname.startsWith("*.")) return names.some((name) => isGoodFor(name, hostname));
  return names.some((name) => name === hostname || name.endsWith(hostname.slice(1)));
}

/** Adds a fault for each hostname of a listener that none of its certificates is made out for. */
export function checkCovered(
  hostnames: readonly string[],
  spot: Spot,
  at: { readonly certificates: readonly CertificateConfig[]; readonly building: Pick<Building, "issues"> },
): void {
  const names = [...new Set(at.certificates.flatMap((certificate) => certificate.names))];
  const shown = `${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;
  for (const [index, hostname] of hostnames.entries()) {
    if (isCovered(hostname, names)) continue;
    const message = `${quote(hostname)} has no certificate: those of the listener are for ${shown}; add one for it`;
    addFault(at.building, below(spot, "hostnames", index), message);
  }
}

/** Adds a fault for each certificate with a name that another of the same key type has already. */
export function checkTwins(
  certificates: readonly { readonly certificate: CertificateConfig; readonly spot: Spot }[],
  building: Pick<Building, "issues">,
): void {
  const first = new Map<string, CertificateConfig>();
  for (const { certificate, spot } of certificates) {
    const { keyType, names, origin } = certificate;
    const twin = names.find((name) => first.has(`${keyType} ${name}`));
    const other = twin === undefined ? undefined : first.get(`${keyType} ${twin}`);
    if (twin !== undefined && other !== undefined) {
      const message = `${origin} is for ${twin}, as ${other.origin} is already, with a key of type ${keyType} too`;
      addFault(building, spot, `${message}; keep one of them, or give one a key of another type`);
    }
    for (const name of names) if (!first.has(`${keyType} ${name}`)) first.set(`${keyType} ${name}`, certificate);
  }
}
