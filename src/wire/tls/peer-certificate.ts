import { createHash } from "node:crypto";
import { type DerElement, derChildren, derElements, derOid, derTime } from "./der.ts";
import { distinguishedName } from "./distinguished-name.ts";
import type { ClientCertificate } from "./tls-info.ts";

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const BOOLEAN = 0x01;
const SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const DNS_NAME = 0x82;
const URI_NAME = 0x86;

/**
 * What a certificate (DER) says. Read from its bytes: the runtime's texts can be made to look like other names. Throws
 * a RangeError for what is no certificate.
 */
export function readCertificate(der: Buffer): Omit<ClientCertificate, "isVerified"> {
  const [certificate] = derElements(der);
  const [body] = derChildren(certificate);
  const all = derChildren(body);
  const fields = all[0]?.tag === VERSION ? all.slice(1) : all;
  const [serial, , issuer, validity, subject] = fields;
  const [, notAfter] = derChildren(validity);
  if (serial === undefined || notAfter === undefined) throw new RangeError("DER: the certificate is not whole");
  const names = alternativeNames(fields.find(({ tag }) => tag === EXTENSIONS));
  const uris = textsOf(names, URI_NAME);
  return {
    subject: distinguishedName(subject),
    issuer: distinguishedName(issuer),
    serialNumber: serialText(serial.content),
    dns: textsOf(names, DNS_NAME),
    uris,
    spiffeId: uris.find((uri) => uri.startsWith("spiffe://")) ?? null,
    fingerprint: createHash("sha256").update(der).digest("hex"),
    notAfterAt: derTime(notAfter),
  };
}

function serialText(content: Buffer): string {
  // A leading zero byte only says that the number is positive.
  const digits = content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  return digits.toString("hex").toUpperCase();
}

function alternativeNames(extensions: DerElement | undefined): readonly DerElement[] {
  const [list] = derChildren(extensions);
  for (const extension of derChildren(list)) {
    const [id, ...rest] = derChildren(extension);
    if (id === undefined || derOid(id.content) !== SUBJECT_ALTERNATIVE_NAME) continue;
    const value = rest.find(({ tag }) => tag !== BOOLEAN);
    return value === undefined ? [] : derChildren(derElements(value.content)[0]);
  }
  return [];
}

// IA5String; controls, quotes, backslashes and bytes beyond ASCII stand in no URI and no host name.
const NAME = /^[!#-[\]-~]+$/;

function textsOf(names: readonly DerElement[], kind: number): readonly string[] {
  return names
    .filter(({ tag }) => tag === kind)
    .map(({ content }) => content.toString("latin1"))
    .filter((name) => NAME.test(name));
}
