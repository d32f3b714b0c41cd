import type { Measurement } from "./measurement.ts";

/** What a scenario is called, and what it does in a few words. */
export interface ScenarioHead {
  readonly name: string;
  readonly title: string;
}

/** What one scenario found, ready to print and to keep. */
export interface ScenarioReport extends ScenarioHead {
  readonly columns: readonly string[];
  /** The first cell of each is the contestant's name. */
  readonly rows: readonly (readonly string[])[];
  /** What went wrong: any makes the benchmark fail. */
  readonly faults: readonly string[];
  /** All single figures, for the JSON file. */
  readonly measurements: unknown;
}

/** Middle value, or the mean of the two in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return (low + high) / 2;
}

/** Heads of the cells that `loadRow` makes. */
export const LOAD_COLUMNS = [
  "",
  "CPU µs/req",
  "ratio",
  "min–max",
  "req/s",
  "p50 ms",
  "p99 ms",
  "RSS MB",
  "busy %",
  "failed",
];

/** A row of medians; `baseline` holds the same rounds of the contestant that is the measure. */
export function loadRow(own: readonly Measurement[], baseline: readonly Measurement[]): readonly string[] {
  const of = (pick: (measurement: Measurement) => number) => median(own.map(pick));
  const ratios = sameRoundRatios(own, baseline);
  return [
    own[0]?.contestant ?? "",
    of((one) => one.cpuUsPerRequest).toFixed(1),
    median(ratios).toFixed(2),
    `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
    of((one) => one.requestsPerSecond).toFixed(0),
    of((one) => one.p50Ms).toFixed(2),
    of((one) => one.p99Ms).toFixed(2),
    of((one) => one.rssBytes / 1e6).toFixed(1),
    of((one) => one.busyPercent).toFixed(0),
    String(own.reduce((total, one) => total + one.failed, 0)),
  ];
}

/** CPU per request divided by the baseline's of the same round: what disturbs the machine disturbs both. */
export function sameRoundRatios(own: readonly Measurement[], baseline: readonly Measurement[]): readonly number[] {
  return own.flatMap((measurement) => {
    const reference = baseline.find((other) => other.round === measurement.round);
    return reference === undefined ? [] : [measurement.cpuUsPerRequest / reference.cpuUsPerRequest];
  });
}

/** The whole text of a scenario, faults first to last below the table. */
export function renderReport(report: ScenarioReport): string {
  const lines = renderTable([report.columns, ...report.rows]);
  const faults = report.faults.map((fault) => `  !! FAILED: ${fault}`);
  return [`\n${report.name}: ${report.title}`, ...lines, ...faults].join("\n");
}

/** The first column to the left, figures to the right. */
function renderTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => `  ${row.map(cell).join("  ")}`.trimEnd());
}
