import { X509Certificate } from "node:crypto";
import { getCACertificates } from "node:tls";
import { isIssuedBy, isSelfSigned, issuerOf, subjectOf } from "./certificate-facts.ts";

type Chain = readonly X509Certificate[];

/** What is wrong with a chain, and what would be right. */
export interface ChainFinding {
  /** A guess stays a warning: whether clients hold the issuer themselves is not known here. */
  readonly isCertain: boolean;
  readonly message: string;
}

let roots: Chain | null = null;

/** Authorities that this machine trusts, read on first use. */
function knownRoots(): Chain {
  roots ??= getCACertificates("default").flatMap((pem) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      return [];
    }
  });
  return roots;
}

/** A leaf that stands alone. Where somebody publishes its issuer, that is one which clients do not hold. */
function aloneFinding(leaf: X509Certificate): ChainFinding | null {
  if (isSelfSigned(leaf) || knownRoots().some((root) => isIssuedBy(leaf, root))) return null;
  const issuer = issuerOf(leaf);
  if (/CA Issuers/.test(leaf.infoAccess ?? "")) {
    const message = `holds no whole chain: the certificate of its issuer ${issuer} is missing; append it`;
    return { isCertain: true, message };
  }
  const message = `holds no certificate of its issuer ${issuer}; append it, unless all clients hold it`;
  return { isCertain: false, message };
}

function linkFault(chain: Chain, index: number): string | null {
  const [certificate, next] = [chain[index], chain[index + 1]];
  if (certificate === undefined || next === undefined || isIssuedBy(certificate, next)) return null;
  if (isSelfSigned(certificate)) {
    const names = `${subjectOf(next)} behind the self-signed ${subjectOf(certificate)}`;
    return `holds ${names}; remove what is not its chain`;
  }
  const order = `${subjectOf(certificate)} must be followed by its issuer ${issuerOf(certificate)}`;
  return chain.some((other) => other !== certificate && isIssuedBy(certificate, other))
    ? `holds its chain in the wrong order: ${order}; put the leaf first, then each one's issuer`
    : `holds no whole chain: ${order}, not by ${subjectOf(next)}; append the one that is missing`;
}

/** Looks whether each certificate is followed by its issuer; a root at the end may be left out. Null: it is whole. */
export function chainFinding(chain: Chain): ChainFinding | null {
  const [leaf] = chain;
  if (leaf !== undefined && chain.length === 1) return aloneFinding(leaf);
  for (const index of chain.keys()) {
    const message = linkFault(chain, index);
    if (message !== null) return { isCertain: true, message };
  }
  return null;
}
