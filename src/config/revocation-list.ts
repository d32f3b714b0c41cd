import { addFault } from "./building.ts";
import { shownTime } from "./certificate-dates.ts";
import type { Vetting } from "./certificate-pair.ts";
import { placeOf } from "./check.ts";
import { joinPem, type PemBlock, pemBlocks, pemBytes } from "./pem.ts";
import type { PemAt } from "./pem-files.ts";

interface Element {
  readonly tag: number;
  readonly body: Uint8Array;
  readonly rest: Uint8Array;
}

/** The first element of DER; null when it is not whole. */
function elementOf(bytes: Uint8Array): Element | null {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) return null;
  const more = first < 128 ? 0 : first & 127;
  if (more > 4 || bytes.length < 2 + more) return null;
  const length = more === 0 ? first : bytes.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0);
  const end = 2 + more + length;
  return end > bytes.length ? null : { tag, body: bytes.subarray(2 + more, end), rest: bytes.subarray(end) };
}

const SEQUENCE = 0x30;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

function elementsOf(bytes: Uint8Array, atMost: number): readonly Element[] {
  const elements: Element[] = [];
  for (let rest = bytes; elements.length < atMost; ) {
    const element = elementOf(rest);
    if (element === null) break;
    elements.push(element);
    rest = element.rest;
  }
  return elements;
}

function timeOf({ tag, body }: Element): number | null {
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) return null;
  const text = Buffer.from(body).toString("latin1");
  const century = tag === GENERALIZED_TIME ? "" : Number(text.slice(0, 2)) < 50 ? "20" : "19";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  return parts === null ? null : Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`);
}

/** When the next list is due (RFC 5280 5.1.2.5): null where it does not say, undefined for what is no list. */
function nextUpdateAt(der: Uint8Array): number | null | undefined {
  const list = elementOf(der);
  const inner = list?.tag === SEQUENCE ? elementOf(list.body) : null;
  if (inner?.tag !== SEQUENCE) return undefined;
  // Version (not in the first one), algorithm, issuer, this update, next update (or not).
  const times = elementsOf(inner.body, 6).filter(({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME);
  const [first, second] = times;
  if (first === undefined || timeOf(first) === null) return undefined;
  return second === undefined ? null : timeOf(second);
}

function checkDue(blocks: readonly PemBlock[], { origin, spot }: PemAt, vetting: Vetting): boolean {
  for (const block of blocks) {
    const dueAt = nextUpdateAt(pemBytes(block));
    if (dueAt === undefined) {
      addFault(vetting, spot, `${origin} holds a revocation list that cannot be read; fetch it anew`);
      return false;
    }
    if (dueAt === null || dueAt > vetting.nowAt) continue;
    const message = `${origin} should have been replaced by ${shownTime(dueAt)}; fetch the new list`;
    vetting.warnings.push({ ...placeOf(spot), message });
  }
  return true;
}

/** The PEM text of revocation lists; null, with a fault, when there is none. One that is overdue is a warning. */
export function revocationLists(at: PemAt, vetting: Vetting): string | null {
  const blocks = pemBlocks(at.text).filter(({ label }) => label === "X509 CRL");
  if (blocks.length > 0) return checkDue(blocks, at, vetting) ? joinPem(blocks) : null;
  addFault(
    vetting,
    at.spot,
    `${at.origin} holds no revocation list in PEM; it must have a line -----BEGIN X509 CRL-----`,
  );
  return null;
}
