import { RECEIVED_HEADER } from "./backend.ts";
import { type Bench, type Contestant, startFleet, stopFleet } from "./fleet.ts";
import { type LoadSpec, runLoad } from "./load.ts";
import type { Measurement } from "./measurement.ts";
import { readUsage } from "./process.ts";
import type { ProxySpec } from "./proxies/proxy.ts";
import { LOAD_COLUMNS, loadRow, type ScenarioReport } from "./report.ts";
import type { LoadScenario } from "./scenario.ts";

const WARM_UP_SECONDS = 2;
/** The certificates are made for the benchmark alone. */
const NO_CHECK = { rejectUnauthorized: false };

/** Starts the contestants together, checks and warms each, and measures them in turn, every round reversed. */
export async function runRounds(
  bench: Bench,
  scenario: LoadScenario,
  proxies: readonly ProxySpec[],
): Promise<ScenarioReport> {
  const load = { ...scenario.load, connections: bench.options.connections ?? scenario.load.connections };
  const fleet = await startFleet(bench, proxies);
  const faults = [...fleet.faults];
  const fit: Contestant[] = [];
  for (const contestant of fleet.contestants) {
    const fault = await checkAnswer(contestant, load, scenario.answerBytes);
    if (fault === null) fit.push(contestant);
    else faults.push(fault);
  }
  for (const contestant of fit) await applyLoad(bench, contestant, { load, durationSeconds: WARM_UP_SECONDS });
  const measurements = await measureRounds(bench, fit, load);
  await stopFleet(bench, fleet);
  faults.push(...measurements.filter((one) => one.failed > 0).map(nameFailure));
  return {
    name: scenario.name,
    title: `${scenario.title}, ${load.connections} clients, ${bench.options.rounds} × ${bench.options.seconds} s`,
    columns: LOAD_COLUMNS,
    rows: fit.map((contestant) => loadRow(of(measurements, contestant.name), of(measurements, scenario.baseline))),
    faults,
    measurements,
  };
}

function of(measurements: readonly Measurement[], contestant: string): readonly Measurement[] {
  return measurements.filter((measurement) => measurement.contestant === contestant);
}

function nameFailure(measurement: Measurement): string {
  const { contestant, round, failed, failures } = measurement;
  return `${contestant}, round ${round}: ${failed} requests failed (${failures})`;
}

async function measureRounds(
  bench: Bench,
  contestants: readonly Contestant[],
  load: LoadSpec,
): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    const order = round % 2 === 1 ? contestants : contestants.toReversed();
    for (const contestant of order) measurements.push(await measure(bench, contestant, { load, round }));
  }
  return measurements;
}

interface Turn {
  readonly load: LoadSpec;
  readonly round: number;
}

async function measure(bench: Bench, contestant: Contestant, { load, round }: Turn): Promise<Measurement> {
  const before = readUsage(contestant.child.pid);
  const startedAt = performance.now();
  const result = await applyLoad(bench, contestant, { load, durationSeconds: bench.options.seconds });
  const elapsedMs = performance.now() - startedAt;
  const after = readUsage(contestant.child.pid);
  const cpuMs = after.cpuMs - before.cpuMs;
  return {
    contestant: contestant.name,
    round,
    cpuUsPerRequest: (cpuMs * 1000) / result.requests,
    requestsPerSecond: result.requestsPerSecond,
    bytesPerSecond: result.bytesPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rssBytes: after.rssBytes,
    busyPercent: (cpuMs / elapsedMs) * 100,
    failed: result.failed,
    failures: result.failures,
  };
}

interface Application {
  readonly load: LoadSpec;
  readonly durationSeconds: number;
}

function applyLoad(bench: Bench, contestant: Contestant, { load, durationSeconds }: Application) {
  const scriptFile = `${contestant.directory}/load.lua`;
  return runLoad(bench.children, load, { port: contestant.port, durationSeconds, core: bench.cores.load, scriptFile });
}

/** One request outside the load: figures of a proxy that answers wrongly mean nothing. Null when all is right. */
async function checkAnswer(contestant: Contestant, load: LoadSpec, answerBytes: number): Promise<string | null> {
  const url = `${load.isTls ? "https" : "http"}://127.0.0.1:${contestant.port}${load.paths.at(-1) ?? "/"}`;
  const body = load.uploadBytes === 0 ? null : "x".repeat(load.uploadBytes);
  const response = await fetch(url, {
    method: load.method,
    headers: load.headers,
    body,
    redirect: "manual",
    tls: NO_CHECK,
  });
  const bytes = (await response.bytes()).byteLength;
  const received = Number(response.headers.get(RECEIVED_HEADER) ?? 0);
  if (response.status !== 200) return `${contestant.name} answers ${response.status} instead of 200`;
  if (bytes !== answerBytes) return `${contestant.name} answers with ${bytes} bytes instead of ${answerBytes}`;
  if (received < load.uploadBytes && load.streams === null)
    return `${contestant.name} passed on ${received} of ${load.uploadBytes} bytes`;
  return null;
}
