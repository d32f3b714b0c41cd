import type { Exchange } from "./exchange.ts";
import type { ClientCertificate } from "./tls/tls-info.ts";

/** Lower case, as header lists have their names. */
export const CLIENT_CERT_FIELD = "x-forwarded-client-cert";

/** A certificate stands for a connection, whose requests all have the same. */
const REMEMBERED = new WeakMap<ClientCertificate, string>();

/**
 * `X-Forwarded-Client-Cert` with its line end: what Envoy's `SANITIZE_SET` gives, and `APPEND_FORWARD` behind a trusted
 * proxy, whose own elements stay in front. "" where neither has a certificate that was verified. A client's own field
 * was dropped before, unless it is such a proxy.
 */
export function clientCertField({ client, headers }: Pick<Exchange, "client" | "headers">): string {
  const certificate = client.tls?.certificate ?? null;
  const own = certificate?.isVerified ? remembered(certificate) : null;
  const earlier = client.isTrusted ? headers.get(CLIENT_CERT_FIELD) : null;
  if (own === null && earlier === null) return "";
  return `X-Forwarded-Client-Cert: ${[earlier, own].filter((value) => value !== null).join(",")}\r\n`;
}

function remembered(certificate: ClientCertificate): string {
  const known = REMEMBERED.get(certificate);
  if (known !== undefined) return known;
  const element = clientCertElement(certificate);
  REMEMBERED.set(certificate, element);
  return element;
}

/** One element in Envoy's syntax: `Hash=…;Subject="…";URI=…;DNS=…`, one `URI` and `DNS` for each name. */
function clientCertElement({ fingerprint, subject, uris, dns }: ClientCertificate): string {
  return [
    `Hash=${fingerprint}`,
    `Subject=${quoted(subject)}`,
    ...uris.map((uri) => `URI=${value(uri)}`),
    ...dns.map((name) => `DNS=${value(name)}`),
  ].join(";");
}

function value(text: string): string {
  return /[,;="]/.test(text) ? quoted(text) : text;
}

/** Subjects and names have neither quotes nor backslashes before one in them: see `readCertificate`. */
function quoted(text: string): string {
  return `"${text.replaceAll('"', '\\"')}"`;
}
