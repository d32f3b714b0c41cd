import type { Logger } from "pino";
import { createDnsRegistry, type DnsState } from "../registry/dns.ts";
import { createDnsShare } from "../registry/dns-share.ts";
import type { DnsSource } from "../registry/dns-source.ts";
import type { Registry } from "../registry/registry.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface DnsRegistriesOptions {
  readonly metrics: Pick<Metrics, "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly random: () => number;
}

const MESSAGES: Readonly<Record<DnsState, string>> = {
  answering: "DNS answers again",
  failing: "DNS has no good answer: endpoints stay as last known",
  emptied: "DNS says that the service has no endpoint",
};

/** Gives the registry of one service in DNS, whose troubles are counted and, once each, logged. */
export function createDnsRegistries({ metrics, log, random }: DnsRegistriesOptions) {
  const failures = metrics.counter({
    name: "torii_dns_failures_total",
    help: "Rounds of questions to DNS that got no good answer, by service and what was wrong.",
    labels: ["service", "reason"],
  });
  // A service whose options changed while DNS fails is a new one, and must not lose its endpoints by that.
  const share = createDnsShare();
  return (service: string, source: DnsSource): Registry =>
    createDnsRegistry(
      { [service]: source },
      {
        random,
        share,
        onFailure: ({ reason }) => failures.of(service, reason).add(),
        onState: (_, state, trouble) => {
          const facts = { service, name: trouble?.name ?? source.name, reason: trouble?.reason ?? null };
          if (state === "answering") log.info(facts, MESSAGES[state]);
          else log.warn(facts, MESSAGES[state]);
        },
      },
    );
}
