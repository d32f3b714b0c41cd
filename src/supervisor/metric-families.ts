import { sampleValue } from "../telemetry/exposition.ts";

/** One family of metrics as it was read. */
export interface MetricFamily {
  readonly name: string;
  /** Its HELP and TYPE lines, ends included. */
  readonly head: string;
  /** As written after `# TYPE`. */
  readonly type: string;
  /** By all that stands before the value: the sample's name, and its labels in braces. */
  readonly samples: Map<string, number>;
}

/** By name, in the order of the text. */
export type MetricFamilies = Map<string, MetricFamily>;

function numberOf(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

/** Reads Prometheus text 0.0.4 as this project writes it: HELP, TYPE, then the samples of each family. */
export function parseFamilies(text: string): MetricFamilies {
  const families: MetricFamilies = new Map();
  let help = "";
  let current: MetricFamily | null = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) help = `${line}\n`;
    else if (line.startsWith("# TYPE ")) {
      const [name = "", type = ""] = line.slice("# TYPE ".length).split(" ");
      current = { name, type, head: `${help}${line}\n`, samples: new Map() };
      families.set(name, current);
    } else if (line !== "" && current !== null) {
      // A label's value may hold a space, the sample's cannot.
      const at = line.lastIndexOf(" ");
      current.samples.set(line.slice(0, at), numberOf(line.slice(at + 1)));
    }
  }
  return families;
}

/** The text that `parseFamilies` reads. */
export function renderFamilies(families: MetricFamilies): string {
  const pieces: string[] = [];
  for (const { head, samples } of families.values()) {
    pieces.push(head);
    for (const [sample, value] of samples) pieces.push(`${sample} ${sampleValue(value)}\n`);
  }
  return pieces.join("");
}
