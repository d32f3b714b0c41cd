import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { type MetricFamilies, parseFamilies, renderFamilies } from "./metric-families.ts";
import { keepCounts, mergeFamilies } from "./metric-merge.ts";

/** Longer than a busy worker needs, shorter than a scraper waits. */
const ANSWER_MS = 2000;

/** Whoever counts in another process. */
export interface MetricSource {
  /** Asks for the metrics as text; null when the answer did not come in time. */
  metrics(timeoutMs: number): Promise<string | null>;
  /** The last answer that came, or null. */
  readonly lastMetrics: string | null;
}

/** Why a worker was started in another's place. */
export type RestartReason = "crash" | "hung" | "restart" | "reload" | "refused";

/** The supervisor's metrics, and those of all workers as one. */
export interface SupervisorMetrics {
  readonly own: Metrics;
  restarted(reason: RestartReason): void;
  /** Keeps the counts of a worker that is gone. */
  gone(source: MetricSource): void;
  /** Prometheus text: what late workers would say is what they last said. */
  render(): Promise<string>;
}

export interface SupervisorMetricsOptions {
  readonly version: string;
  /** The workers that live, those that drain included. */
  readonly sources: () => Iterable<MetricSource>;
}

/** Counts from 0. */
export function createSupervisorMetrics({ version, sources }: SupervisorMetricsOptions): SupervisorMetrics {
  const own = createMetrics({ version });
  const kept: MetricFamilies = new Map();
  const restarts = own.counter({
    name: "torii_worker_restarts_total",
    help: "Workers that were started in the place of others, by reason.",
    labels: ["reason"],
  });
  const workers = own.gauge({ name: "torii_workers", help: "Worker processes that live, draining ones too." }).of();
  const answered = own
    .gauge({ name: "torii_workers_answered", help: "Of these, how many told their metrics in time for this scrape." })
    .of();

  async function ask(): Promise<void> {
    const asked = [...sources()];
    const answers = await Promise.all(asked.map((source) => source.metrics(ANSWER_MS)));
    workers.set(asked.length);
    answered.set(answers.filter((answer) => answer !== null).length);
  }

  async function render(): Promise<string> {
    await ask();
    const merged = parseFamilies(await own.render());
    mergeFamilies(merged, kept);
    // Who ended meanwhile is among the kept ones; nothing may be awaited from here on.
    for (const { lastMetrics } of sources())
      if (lastMetrics !== null) mergeFamilies(merged, parseFamilies(lastMetrics));
    return renderFamilies(merged);
  }

  return {
    own,
    restarted: (reason) => restarts.of(reason).add(),
    gone({ lastMetrics }) {
      if (lastMetrics !== null) keepCounts(kept, parseFamilies(lastMetrics));
    },
    render,
  };
}
