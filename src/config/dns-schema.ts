import { isIP } from "node:net";
import * as z from "zod";
import { targetPort, words } from "./scalars.ts";
import { hint } from "./wording.ts";

const DNS_PORT = 53;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

function isName(text: string): boolean {
  return text.length <= 253 && isIP(text) === 0 && text.split(".").every((label) => LABEL.test(label));
}

/** A whole name in lower case, with or without the dot at its end. */
function dnsName(what: string, example: string, fits: RegExp) {
  const error = hint(what, `the whole name, such as ${example}`);
  return z
    .string({ error })
    .transform((text) => text.replace(/\.$/, "").toLowerCase())
    .refine((text) => fits.test(text) && isName(text), { error });
}

/** `address:port` for `address`, `address:port` or `[address]:port`; null for what is none of them. */
function serverOf(text: string): string | null {
  const { host = text, port = String(DNS_PORT) } = /^(?<host>[\d.]+|\[.*\]):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  const address = host.replace(/^\[(.*)\]$/, "$1");
  const family = isIP(address);
  if (family === 0 || Number(port) < 1 || Number(port) > 65_535) return null;
  return `${family === 6 ? `[${address}]` : address}:${Number(port)}`;
}

const resolverHint = hint("the address of a DNS server", "for example 10.0.0.2:53 or [fd00::2]:53");
const resolver = z
  .string({ error: resolverHint })
  .refine((text) => serverOf(text) !== null, { error: resolverHint })
  .transform((text) => serverOf(text) ?? text);

/** What is asked of DNS for a service: hosts at a port, or SRV records. */
export const dnsSchema = z.strictObject({
  name: dnsName("a name in DNS", "catalog.internal", /./).optional(),
  port: targetPort.optional(),
  srv: dnsName("a name of SRV records", "_http._tcp.catalog.internal", /^_[^.]+\._[^.]+\../).optional(),
  resolver: resolver.optional(),
  scheme: words(["http", "https"], []).default("http"),
});

/** What `dnsSchema` gives. */
export type DnsDocument = z.output<typeof dnsSchema>;
