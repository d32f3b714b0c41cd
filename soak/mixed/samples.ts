import { readdir, readFile } from "node:fs/promises";
import { rssBytes, type SoakGateway } from "../gateway.ts";

const MIB = 1024 * 1024;
const EVERY_MS = 1000;
const TICKS_PER_SECOND = 100;

/** The gateway at one moment. */
export interface Sample {
  readonly atSeconds: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Processor time since it began. */
  readonly cpuSeconds: number;
  readonly connections: number;
  readonly inFlight: number;
  readonly passages: number;
  readonly upstreams: number;
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function metricLines(gateway: SoakGateway): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`);
  return (await response.text()).split("\n");
}

/** How handshakes ended, as the metric's own lines. */
export async function handshakes(gateway: SoakGateway): Promise<readonly string[]> {
  return (await metricLines(gateway)).filter((line) => line.startsWith("torii_tls_handshakes_total{"));
}

async function metrics(gateway: SoakGateway): Promise<(name: string) => number> {
  const lines = await metricLines(gateway);
  return (name) => {
    const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  };
}

/** How it stands now. */
export async function sample(gateway: SoakGateway, atSeconds: number): Promise<Sample> {
  const { pid } = gateway.process;
  const metric = await metrics(gateway);
  return {
    atSeconds,
    rssBytes: await rssBytes(pid),
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    cpuSeconds: await cpuSeconds(pid),
    connections: metric("torii_connections_open"),
    inFlight: metric("torii_exchanges_in_flight"),
    passages: metric("torii_passthrough_connections_open"),
    upstreams: metric("torii_upstream_connections"),
  };
}

/** Takes a sample each second, for so long. */
export async function watch(gateway: SoakGateway, seconds: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const startedAt = performance.now();
  const passed = () => (performance.now() - startedAt) / 1000;
  while (passed() < seconds) {
    samples.push(await sample(gateway, passed()));
    await Bun.sleep(EVERY_MS - (performance.now() % EVERY_MS));
  }
  return samples;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** The median of the second fifth, behind the warm-up, and that of the last. */
export function drift(
  samples: readonly Sample[],
  value: (sample: Sample) => number,
): { readonly before: number; readonly after: number } {
  const fifth = Math.floor(samples.length / 5);
  const of = (from: number) => median(samples.slice(from, from + fifth).map(value));
  return { before: of(fifth), after: of(samples.length - fifth) };
}

function row(one: Sample, previous: Sample | undefined, highest: number): string {
  const share =
    previous === undefined ? 0 : (one.cpuSeconds - previous.cpuSeconds) / (one.atSeconds - previous.atSeconds);
  const numbers = [one.descriptors, one.connections, one.inFlight, one.passages, one.upstreams];
  const bar = "#".repeat(Math.round((40 * one.rssBytes) / highest));
  const rss = (one.rssBytes / MIB).toFixed(1).padStart(7);
  const cpu = `${Math.round(share * 100)} %`.padStart(6);
  return [
    `${one.atSeconds.toFixed(0).padStart(5)} s`,
    rss,
    cpu,
    ...numbers.map((n) => String(n).padStart(6)),
    ` ${bar}`,
  ].join("");
}

/** The course of it all as a table, at most forty lines. */
export function curve(samples: readonly Sample[]): string {
  const step = Math.max(1, Math.ceil(samples.length / 40));
  const shown = samples.filter((_, at) => at % step === 0);
  const highest = Math.max(...samples.map((one) => one.rssBytes));
  const title = "   time    MiB   CPU    fds  conns  reqs  pipes  upstr";
  return [title, ...shown.map((one, at) => row(one, shown[at - 1], highest))].join("\n");
}
