import * as z from "zod";
import type { HashBy, ServiceOptions } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import { durationMs, percent, words } from "./scalars.ts";
import { hint } from "./wording.ts";

const BY_EXAMPLE = "ip, host, header.x-user, cookie.session, query.user or jwt.sub";
const byHint = hint("what keys are made from", BY_EXAMPLE);
// Names of claims may be URLs (RFC 7519 4.2).
const BY = /^(?:ip|host|(?:header|cookie|query)\.[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}|jwt\.[\x21-\x7e]{1,256})$/;

const threshold = percent.refine((share) => share > 0, { error: "is reached by everyone; write for example 90%" });

const maxLoad = z
  .strictObject({ cpu: threshold.optional(), memory: threshold.optional() })
  .refine(({ cpu, memory }) => cpu !== undefined || memory !== undefined, {
    error: "says nothing; write for example { cpu: 90%, memory: 90% }",
  });

/** The `loadBalancing` part of a service. */
export const loadBalancing = z.strictObject({
  policy: words(["least_request", "round_robin", "random", "peak_ewma", "consistent_hash"], []).default(
    "least_request",
  ),
  by: z.string({ error: byHint }).regex(BY, { error: byHint }).optional(),
  slowStart: durationMs.default(0),
  panicThreshold: percent.default(50),
  zone: words(["any", "prefer"], []).default("any"),
  maxLoad: maxLoad.optional(),
});

type Written = z.output<typeof loadBalancing>;

function hashBy(text: string): HashBy {
  switch (text) {
    case "ip":
    case "host":
      return { source: text, name: "" };
  }
  const dot = text.indexOf(".");
  const [source, name] = [text.slice(0, dot), text.slice(dot + 1)];
  if (source === "header") return { source, name: name.toLowerCase() };
  if (source === "jwt") return { source, name };
  return { source: source === "cookie" ? source : "query", name };
}

function shareOf(written: number | undefined): number | null {
  return written === undefined ? null : written / 100;
}

/** What `loadBalancing` at `spot` says, for a gateway in that zone; a key without its policy, or the other way round, is a fault. */
export function balancing(
  { policy, by, slowStart, panicThreshold, zone, maxLoad: most }: Written,
  spot: Spot,
  { vetting: building, zone: ownZone }: { readonly vetting: Pick<Building, "issues">; readonly zone: string | null },
): Pick<ServiceOptions, "balancer" | "hashBy" | "slowStartMs" | "panicPercent" | "zone" | "maxLoad"> {
  const hashes = policy === "consistent_hash";
  if (hashes && by === undefined)
    addFault(building, below(spot, "policy"), `"consistent_hash" needs by; write by: ${BY_EXAMPLE}`);
  if (!hashes && by !== undefined)
    addFault(building, below(spot, "by"), `stands beside policy: ${policy}; write consistent_hash or remove it`);
  return {
    balancer: policy,
    hashBy: hashes && by !== undefined ? hashBy(by) : null,
    slowStartMs: slowStart,
    panicPercent: panicThreshold,
    zone: zone === "prefer" ? ownZone : null,
    maxLoad: most === undefined ? null : { cpu: shareOf(most.cpu), memory: shareOf(most.memory) },
  };
}
