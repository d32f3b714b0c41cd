import * as z from "zod";
import { count, durationMs, later, nameText, words } from "./scalars.ts";
import { hint, NOT_BUILT, quote } from "./wording.ts";

const FUTURE_DISCOVERY = ["redis", "dns", "kubernetes", "consul", "eureka"];
const FUTURE_POLICIES = ["random", "peak_ewma", "consistent_hash"];

const urlHint = hint("the URL of an endpoint", "http://host:port, without a path");

function urlFault(text: string): string | null {
  if (text.startsWith("https://")) return `${quote(text)}: TLS to services ${NOT_BUILT}; write http://host:port`;
  const url = URL.parse(text);
  const isBare = url !== null && url.protocol === "http:" && url.hostname !== "" && url.port !== "0";
  // Nothing but scheme, host and port: credentials, a path or a query would be lost silently.
  const rest = text.slice("http://".length).replace(/\/$/, "");
  return isBare && /^http:\/\//.test(text) && !/[/?#@\\\s]/.test(rest) ? null : urlHint({ input: text });
}

/** `http://host:port`, always with its port. */
const endpointUrl = z
  .string({ error: urlHint })
  .check((context) => {
    const message = urlFault(context.value);
    if (message !== null) context.issues.push({ code: "custom", input: context.value, message });
  })
  .transform((text) => {
    const url = URL.parse(text);
    return url === null ? text : `http://${url.hostname}:${url.port === "" ? "80" : url.port}`;
  });

const weightHint = hint("a weight", "a whole number from 0 to 1000000");

/** A share against the others; 0 takes none. */
export const weight = z.int({ error: weightHint }).min(0, { error: weightHint }).max(1_000_000, { error: weightHint });

const endpoint = z.strictObject({
  url: endpointUrl,
  weight: weight.default(1),
  id: nameText("an endpoint", "catalog-1").optional(),
});

const loadBalancing = z.strictObject({
  policy: words(["least_request", "round_robin"], FUTURE_POLICIES).default("least_request"),
  by: later,
  slowStart: later,
});

const timeouts = z.strictObject({
  connect: durationMs.default(1000),
  response: durationMs.default(15_000),
  idle: durationMs.default(60_000),
});

/** One entry of `services`. */
export const serviceSchema = z.strictObject({
  discover: words(["static", "memory"], FUTURE_DISCOVERY).optional(),
  endpoints: z.array(endpoint).optional(),
  loadBalancing: loadBalancing.prefault({}),
  healthCheck: later,
  outlierDetection: later,
  circuitBreaker: later,
  maxConnections: count(256).optional(),
  timeouts: timeouts.prefault({}),
  tls: later,
});

/** What `serviceSchema` gives. */
export type ServiceDocument = z.output<typeof serviceSchema>;
