import { addFault } from "./building.ts";
import { shownTime } from "./certificate-dates.ts";
import type { Vetting } from "./certificate-pair.ts";
import { placeOf } from "./check.ts";
import { type DerElement, elementOf, elementsOf, nameKey, nameOf, SEQUENCE, subjectNameOf } from "./der.ts";
import { joinPem, type PemBlock, pemBlocks, pemBytes } from "./pem.ts";
import type { PemAt } from "./pem-files.ts";
import { quote } from "./wording.ts";

const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

function timeOf({ tag, body }: DerElement): number | null {
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) return null;
  const text = Buffer.from(body).toString("latin1");
  const century = tag === GENERALIZED_TIME ? "" : Number(text.slice(0, 2)) < 50 ? "20" : "19";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  return parts === null ? null : Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`);
}

interface RevocationList {
  readonly issuer: string;
  /** When the next list is due, in epoch milliseconds; null where it does not say. */
  readonly dueAt: number | null;
}

/** What a list says of itself (RFC 5280 5.1); null for what is no list. */
function readList(der: Uint8Array): RevocationList | null {
  const list = elementOf(der);
  const inner = list?.tag === SEQUENCE ? elementOf(list.body) : null;
  if (inner?.tag !== SEQUENCE) return null;
  // Version (not in the first one), algorithm, issuer, this update, next update (or not).
  const parts = elementsOf(inner.body, 6);
  const at = parts.findIndex(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME);
  const [issuer, thisUpdate, nextUpdate] = at < 1 ? [] : parts.slice(at - 1);
  if (issuer?.tag !== SEQUENCE || thisUpdate === undefined || timeOf(thisUpdate) === null) return null;
  return { issuer: nameOf(issuer), dueAt: nextUpdate === undefined ? null : timeOf(nextUpdate) };
}

/** What revocation lists are judged by. */
export interface ListVetting {
  readonly vetting: Vetting;
  /** PEM of the authorities; null where they could not be read, so that nothing is said of them. */
  readonly caPem: string | null;
}

function foreignness({ issuer }: RevocationList, caPem: string | null): string | null {
  if (caPem === null) return null;
  const names = pemBlocks(caPem).map((block) => subjectNameOf(pemBytes(block)));
  if (names.some((name) => name !== null && nameKey(name) === nameKey(issuer))) return null;
  return `a list of ${quote(issuer.slice(0, 200))}, which is none of the authorities in ca; give lists of those only, or add it to ca`;
}

function checkLists(blocks: readonly PemBlock[], { origin, spot }: PemAt, { vetting, caPem }: ListVetting): boolean {
  for (const block of blocks) {
    const list = readList(pemBytes(block));
    const fault = list === null ? "a revocation list that cannot be read; fetch it anew" : foreignness(list, caPem);
    if (fault !== null) {
      addFault(vetting, spot, `${origin} holds ${fault}`);
      return false;
    }
    const dueAt = list?.dueAt ?? null;
    if (dueAt === null || dueAt > vetting.nowAt) continue;
    const message = `${origin} should have been replaced by ${shownTime(dueAt)}; fetch the new list`;
    vetting.warnings.push({ ...placeOf(spot), message });
  }
  return true;
}

/**
 * The PEM text of revocation lists; null, with a fault, when there is none, or one of an authority that is not in `ca`.
 * One that is overdue is a warning.
 */
export function revocationLists(at: PemAt, given: ListVetting): string | null {
  const blocks = pemBlocks(at.text).filter(({ label }) => label === "X509 CRL");
  if (blocks.length > 0) return checkLists(blocks, at, given) ? joinPem(blocks) : null;
  const message = `${at.origin} holds no revocation list in PEM; it must have a line -----BEGIN X509 CRL-----`;
  addFault(given.vetting, at.spot, message);
  return null;
}
