import { FILE_BYTES } from "../backend.ts";
import { type Bench, type Contestant, startProxy } from "../fleet.ts";
import { processTree, readRssBytes } from "../process.ts";
import { serviceYaml, toriiProxy } from "../proxies/torii.ts";
import { median, type ScenarioHead, type ScenarioReport } from "../report.ts";
import { createSink, download, SINK_PATH, upload } from "./stall-peers.ts";
import { warmUp } from "./warm-up.ts";

const DOWNLOAD_PATH = "/body-500m";
const SAMPLE_MS = 20;

type Direction = "down" | "up";

interface StallMeasurement {
  readonly direction: Direction;
  readonly beforeBytes: number;
  readonly growthBytes: number;
  readonly durationMs: number;
}

/** A fresh process for each direction and round, at most three rounds. */
export async function runStall(bench: Bench, head: ScenarioHead): Promise<ScenarioReport> {
  const measurements: StallMeasurement[] = [];
  const faults: string[] = [];
  for (const direction of ["down", "up"] as const) {
    try {
      for (let round = 0; round < Math.min(bench.options.rounds, 3); round += 1)
        measurements.push(await measure(bench, direction));
    } catch (error) {
      faults.push(`${direction}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const columns = ["", "RSS growth MB", "RSS before MB", "seconds"];
  const rows = (["down", "up"] as const).map((direction) => row(direction, measurements));
  return { ...head, columns, rows, faults, measurements };
}

function row(direction: Direction, measurements: readonly StallMeasurement[]): readonly string[] {
  const own = measurements.filter((one) => one.direction === direction);
  const growth = median(own.map((one) => one.growthBytes / 1e6)).toFixed(1);
  const before = median(own.map((one) => one.beforeBytes / 1e6)).toFixed(1);
  return [`torii ${direction}`, growth, before, median(own.map((one) => one.durationMs / 1000)).toFixed(1)];
}

async function measure(bench: Bench, direction: Direction): Promise<StallMeasurement> {
  const sink = createSink();
  const contestant = await startProxy(bench, toriiProxy({ name: "torii", routes: stallRoutes(sink.port) }));
  try {
    await warmUp(bench, contestant);
    return await transfer(contestant, direction);
  } finally {
    await bench.children.stop(contestant.child);
    sink.close();
  }
}

async function transfer(contestant: Contestant, direction: Direction): Promise<StallMeasurement> {
  const bytes = FILE_BYTES[DOWNLOAD_PATH] ?? 0;
  const tree = processTree(contestant.child.pid);
  const beforeBytes = readRssBytes(tree);
  let peakBytes = beforeBytes;
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, readRssBytes(tree));
  }, SAMPLE_MS);
  const startedAt = performance.now();
  try {
    const { port } = contestant;
    await (direction === "down"
      ? download(port, { path: DOWNLOAD_PATH, bytes })
      : upload(port, { path: SINK_PATH, bytes }));
  } finally {
    clearInterval(sampler);
  }
  return { direction, beforeBytes, growthBytes: peakBytes - beforeBytes, durationMs: performance.now() - startedAt };
}

function stallRoutes(sinkPort: number): (backendPort: number) => string {
  return (backendPort) => `services:
${serviceYaml("backend", backendPort)}${serviceYaml("sink", sinkPort)}routes:
  - { name: sink, matches: [{ path: ${SINK_PATH} }], backends: [{ service: sink }] }
  - { name: all, matches: [{ path: /* }], backends: [{ service: backend }] }
`;
}
