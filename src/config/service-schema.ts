import * as z from "zod";
import { circuitBreaker } from "./circuit-breaker.ts";
import { concurrency } from "./concurrency.ts";
import { dnsSchema } from "./dns-schema.ts";
import { tagText, versionText, zoneName } from "./endpoint-facts.ts";
import { healthCheck } from "./health-check.ts";
import { loadBalancing } from "./load-balancing.ts";
import { outlierDetection } from "./outlier-detection.ts";
import { count, durationMs, nameText, words } from "./scalars.ts";
import { upstreamTlsSchema } from "./upstream-tls-schema.ts";
import { hint } from "./wording.ts";

const FUTURE_DISCOVERY = ["kubernetes", "consul", "eureka"];

const urlHint = hint("the URL of an endpoint", "http://host:port or https://host:port, without a path");
const SCHEME = /^https?:\/\//;

function urlFault(text: string): string | null {
  const url = URL.parse(text);
  const isBare = url !== null && url.hostname !== "" && url.port !== "0";
  // Nothing but scheme, host and port: credentials, a path or a query would be lost silently.
  const rest = text.replace(SCHEME, "").replace(/\/$/, "");
  return isBare && SCHEME.test(text) && !/[/?#@\\\s]/.test(rest) ? null : urlHint({ input: text });
}

function withPort({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
}

/** `http://host:port` or `https://host:port`, always with its port. */
const endpointUrl = z
  .string({ error: urlHint })
  .check((context) => {
    const message = urlFault(context.value);
    if (message !== null) context.issues.push({ code: "custom", input: context.value, message });
  })
  .transform((text) => {
    const url = URL.parse(text);
    return url === null ? text : withPort(url);
  });

const weightHint = hint("a weight", "a whole number from 0 to 1000000");

/** A share against the others; 0 takes none. */
export const weight = z.int({ error: weightHint }).min(0, { error: weightHint }).max(1_000_000, { error: weightHint });

const endpoint = z.strictObject({
  url: endpointUrl,
  weight: weight.default(1),
  id: nameText("an endpoint", "catalog-1").optional(),
  zone: zoneName.optional(),
  version: versionText.optional(),
  tags: z.array(tagText).optional(),
});

const timeouts = z.strictObject({
  connect: durationMs.default(1000),
  response: durationMs.default(15_000),
  idle: durationMs.default(60_000),
});

/** One entry of `services`. */
export const serviceSchema = z.strictObject({
  discover: words(["static", "memory", "redis", "dns"], FUTURE_DISCOVERY).optional(),
  endpoints: z.array(endpoint).optional(),
  dns: dnsSchema.optional(),
  loadBalancing: loadBalancing.prefault({}),
  healthCheck: healthCheck.optional(),
  outlierDetection: outlierDetection.optional(),
  circuitBreaker: circuitBreaker.optional(),
  concurrency: concurrency.optional(),
  maxConnections: count(256).optional(),
  timeouts: timeouts.prefault({}),
  protocol: words(["http1", "h2", "h2c"], []).default("http1"),
  tls: upstreamTlsSchema.optional(),
  proxyProtocol: words(["v1", "v2"], []).optional(),
});

/** What `serviceSchema` gives. */
export type ServiceDocument = z.output<typeof serviceSchema>;
