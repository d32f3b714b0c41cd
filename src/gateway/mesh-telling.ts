import type { Logger } from "pino";
import type { RedisRegistryEvents } from "../registry/redis.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface MeshTellingOptions {
  readonly metrics: Pick<Metrics, "counter">;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** What registries in Redis tell, counted and, once each, logged. */
export interface MeshTelling {
  /** What one of them tells. */
  events(): Required<RedisRegistryEvents>;
  /** A copy was written, or could not be. */
  saved(result: "success" | "failure"): void;
}

/** Makes the counters. */
export function createMeshTelling({ metrics, log }: MeshTellingOptions): MeshTelling {
  const ignored = metrics.counter({
    name: "torii_registry_ignored_total",
    help: "Endpoints in the registry that are not used, by what is wrong with them; each is counted once.",
    labels: ["service", "reason"],
  });
  const refused = metrics.counter({
    name: "torii_registry_refused_total",
    help: "Services that could not be read though the registry answered; each is counted once in a row.",
    labels: ["service"],
  });
  const saves = metrics.counter({
    name: "torii_registry_copy_saves_total",
    help: "Times that the last good copy of the registry was written to disk, or could not be.",
    labels: ["registry", "result"],
  });

  function events(): Required<RedisRegistryEvents> {
    // The first of many: the metric counts them.
    let hasRecalled = false;
    return {
      onState: (isUp, reason) => {
        if (isUp) log.info({ registry: "redis" }, "registry is back");
        else log.warn({ registry: "redis", reason }, "registry is away: endpoints stay as last known");
      },
      onIgnored: (service, { id, reason, detail }, isLoud) => {
        ignored.of(service, reason).add();
        if (isLoud) log.warn({ service, endpoint: id, reason, detail }, "endpoint in the registry ignored");
      },
      onManyIgnored: (service, more) => log.warn({ service, more }, "further endpoints in the registry ignored"),
      onRefused: (service, reason) => {
        refused.of(service).add();
        log.warn({ service, reason }, "registry refused: endpoints stay as last known");
      },
      onRecalled: (service, { at }) => {
        if (hasRecalled) return;
        hasRecalled = true;
        const readAt = new Date(at).toISOString();
        log.warn(
          { registry: "redis", service, readAt },
          "registry cannot be read: endpoints come from the last good copy",
        );
      },
    };
  }

  return { events, saved: (result) => saves.of("redis", result).add() };
}
