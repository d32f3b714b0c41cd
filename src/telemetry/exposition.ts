/** Content type of what `Metrics.render` gives: Prometheus text format 0.0.4. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "histogram";

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Throws a TypeError when a metric or one of its labels could not be read by a scraper. */
export function checkNames(name: string, labels: readonly string[]): void {
  if (!METRIC_NAME.test(name)) throw new TypeError(`invalid metric name: ${JSON.stringify(name)}`);
  for (const label of labels) {
    if (!LABEL_NAME.test(label) || label.startsWith("__")) {
      throw new TypeError(`invalid label ${JSON.stringify(label)} of metric ${name}`);
    }
  }
}

/** The two lines that stand before a family's samples, line end included. */
export function familyHead(name: string, help: string, type: MetricType): string {
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`;
}

/** A value in quotes, escaped as the text format asks. */
function labelValue(value: string): string {
  if (!/["\\\n]/.test(value)) return `"${value}"`;
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** `a="1",b="2"`: names and values in step; empty when there are no labels. */
export function labelPairs(names: readonly string[], values: readonly string[]): string {
  return names.map((name, i) => `${name}=${labelValue(values[i] ?? "")}`).join(",");
}

/** A number as a scraper reads it. */
export function sampleValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

/** One sample, line end included. `pairs` comes from `labelPairs`. */
export function sampleLine(name: string, pairs: string, value: number): string {
  return pairs === "" ? `${name} ${sampleValue(value)}\n` : `${name}{${pairs}} ${sampleValue(value)}\n`;
}
