import * as z from "zod";
import { address, ageSeconds, hostname, nameText, pemSource, port, targetPort, words } from "./scalars.ts";
import { hint } from "./wording.ts";

const certificateError = hint("a certificate", "{ cert: certs/shop.pem, key: certs/shop.key } or { store: shop }");

/** A pair of files or PEM texts, or the name of a pair in the store. */
const certificate = z.union(
  [
    z.strictObject({ cert: pemSource("a certificate"), key: pemSource("a private key") }),
    z.strictObject({ store: nameText("a certificate in the store", "shop") }),
  ],
  { error: certificateError },
);

const clientAuth = z.strictObject({
  ca: pemSource("the authorities' certificates"),
  crl: pemSource("a revocation list").optional(),
  mode: words(["require", "request"], []),
});

const ciphersHint = hint("a list of ciphers", "OpenSSL's names, such as ECDHE-ECDSA-AES128-GCM-SHA256, with : between");

const tls = z.strictObject({
  certificates: z.array(certificate).min(1),
  minVersion: words(["TLSv1.2", "TLSv1.3"], []).default("TLSv1.2"),
  ciphers: z
    .string({ error: ciphersHint })
    .regex(/^[A-Za-z0-9_@!+:=-]+$/, { error: ciphersHint })
    .optional(),
  strictSni: z.boolean().default(false),
  clientAuth: clientAuth.optional(),
});

const http3Error = hint("known here", "true, false or experimental");
const http3 = z.union([z.boolean(), z.literal("experimental", { error: http3Error })], { error: http3Error });

const redirectToHttps = z.union([z.boolean(), z.strictObject({ port: targetPort })], {
  error: hint("known here", "true, false or { port: 8443 }"),
});

const hsts = z.strictObject({
  maxAge: ageSeconds.default(365 * 86_400),
  includeSubDomains: z.boolean().default(false),
  preload: z.boolean().default(false),
});

/** One entry of `listeners`. What fits its protocol is checked later. */
export const listenerSchema = z.strictObject({
  name: nameText("a listener", "http"),
  port,
  address: address.default("0.0.0.0"),
  hostnames: z.array(hostname).min(1).default([]),
  protocol: words(["http", "https", "tcp", "tls_passthrough"], []).optional(),
  tls: tls.optional(),
  http2: z.boolean().optional(),
  http3: http3.optional(),
  proxyProtocol: z.boolean().default(false),
  redirectToHttps: redirectToHttps.optional(),
  hsts: hsts.optional(),
});

/** What `listenerSchema` gives. */
export type ListenerDocument = z.output<typeof listenerSchema>;
/** The `tls` part of a listener. */
export type TlsDocument = z.output<typeof tls>;
/** One entry of `tls.certificates`. */
export type CertificateDocument = z.output<typeof certificate>;
