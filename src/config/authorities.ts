import { addFault, type Building } from "./building.ts";
import { isSelfSigned } from "./certificate-facts.ts";
import { certificatesOf } from "./certificate-pair.ts";
import type { PemAt } from "./pem-files.ts";

/** The PEM text of authorities that others are verified by; null, with a fault, when there is none. */
export function authoritiesOf(at: PemAt, building: Pick<Building, "issues">): string | null {
  const read = certificatesOf(at, building);
  if (read === null) return null;
  if (!read.certificates.some((certificate) => certificate.ca || isSelfSigned(certificate))) {
    addFault(
      building,
      at.spot,
      `${at.origin} holds no certificate of an authority; give the one that issues the others`,
    );
    return null;
  }
  return read.pem;
}
