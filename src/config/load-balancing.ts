import * as z from "zod";
import type { HashBy, ServiceOptions } from "../service/options.ts";
import { addFault, type Building } from "./building.ts";
import { below, type Spot } from "./check.ts";
import { durationMs, percent, words } from "./scalars.ts";
import { hint } from "./wording.ts";

const BY_EXAMPLE = "ip, host, header.x-user, cookie.session or query.user";
const byHint = hint("what keys are made from", BY_EXAMPLE);
const BY = /^(?:ip|host|(?:header|cookie|query)\.[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128})$/;

/** The `loadBalancing` part of a service. */
export const loadBalancing = z.strictObject({
  policy: words(["least_request", "round_robin", "random", "peak_ewma", "consistent_hash"], []).default(
    "least_request",
  ),
  by: z.string({ error: byHint }).regex(BY, { error: byHint }).optional(),
  slowStart: durationMs.default(0),
  panicThreshold: percent.default(50),
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
  return { source: source === "cookie" ? source : "query", name };
}

/** What `loadBalancing` at `spot` says; a key without its policy, or the other way round, is a fault. */
export function balancing(
  { policy, by, slowStart, panicThreshold }: Written,
  spot: Spot,
  building: Pick<Building, "issues">,
): Pick<ServiceOptions, "balancer" | "hashBy" | "slowStartMs" | "panicPercent"> {
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
  };
}
