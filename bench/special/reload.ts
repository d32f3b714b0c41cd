import { rename } from "node:fs/promises";
import { type Bench, type Contestant, startProxy } from "../fleet.ts";
import { get, type LoadResult, runLoad } from "../load.ts";
import { routePath, serviceYaml, toriiProxy } from "../proxies/torii.ts";
import type { ScenarioHead, ScenarioReport } from "../report.ts";

const ROUTES = 1000;
const CONNECTIONS = 64;
const SEEN_TIMEOUT_MS = 5000;
const SEEN_POLL_MS = 10;
const VERSION_HEADER = "x-bench-version";

interface ReloadMeasurement extends LoadResult {
  readonly edits: number;
  readonly editsSeen: number;
}

/** Edits the file of a thousand routes as long as the load runs; every edit must be seen in an answer. */
export async function runReload(bench: Bench, head: ScenarioHead): Promise<ScenarioReport> {
  const columns = ["", "failed", "requests", "edits", "edits seen", "p50 ms", "p99 ms"];
  try {
    const one = await measure(bench);
    return { ...head, columns, rows: [row(one)], faults: faultsOf(one), measurements: [one] };
  } catch (error) {
    return {
      ...head,
      columns,
      rows: [],
      faults: [error instanceof Error ? error.message : String(error)],
      measurements: [],
    };
  }
}

function row(one: ReloadMeasurement): readonly string[] {
  const counts = [one.failed, one.requests, one.edits, one.editsSeen].map(String);
  return ["torii", ...counts, one.p50Ms.toFixed(2), one.p99Ms.toFixed(2)];
}

function faultsOf(one: ReloadMeasurement): readonly string[] {
  const failed = one.failed > 0 ? [`${one.failed} requests failed (${one.failures})`] : [];
  const unseen =
    one.editsSeen < one.edits ? [`${one.edits - one.editsSeen} of ${one.edits} edits did not come into force`] : [];
  return [...failed, ...unseen];
}

async function measure(bench: Bench): Promise<ReloadMeasurement> {
  const routes = (backendPort: number) => versionedRoutes(backendPort, 0);
  const contestant = await startProxy(bench, toriiProxy({ name: "torii", routes }));
  const durationSeconds = bench.options.seconds * bench.options.rounds;
  const endAt = performance.now() + durationSeconds * 1000;
  const [load, edits] = await Promise.all([
    applyLoad(bench, contestant, durationSeconds),
    edit(bench, contestant, endAt),
  ]);
  await bench.children.stop(contestant.child);
  return { ...load, ...edits };
}

function applyLoad(bench: Bench, contestant: Contestant, durationSeconds: number): Promise<LoadResult> {
  const paths = Array.from({ length: ROUTES }, (_, number) => routePath(number));
  const connections = bench.options.connections ?? CONNECTIONS;
  const load = { ...get("/", connections), paths };
  const scriptFile = `${contestant.directory}/load.lua`;
  return runLoad(bench.children, load, { port: contestant.port, durationSeconds, core: bench.cores.load, scriptFile });
}

/** One edit after the other, each once the one before is in force. */
async function edit(bench: Bench, contestant: Contestant, endAt: number) {
  let edits = 0;
  let editsSeen = 0;
  while (performance.now() < endAt) {
    edits += 1;
    await replaceRoutes(contestant, versionedRoutes(bench.backendPort, edits));
    if (await isSeen(contestant.port, edits)) editsSeen += 1;
  }
  return { edits, editsSeen };
}

/** As editors and deployments do: a new file takes the place of the old in one step. */
async function replaceRoutes(contestant: Contestant, text: string): Promise<void> {
  const fresh = `${contestant.directory}/bench.yaml.new`;
  await Bun.write(fresh, text);
  await rename(fresh, `${contestant.directory}/routes/bench.yaml`);
}

async function isSeen(port: number, version: number): Promise<boolean> {
  const deadlineAt = performance.now() + SEEN_TIMEOUT_MS;
  while (performance.now() < deadlineAt) {
    const response = await fetch(`http://127.0.0.1:${port}${routePath(0)}`);
    await response.bytes();
    if (response.headers.get(VERSION_HEADER) === String(version)) return true;
    await Bun.sleep(SEEN_POLL_MS);
  }
  return false;
}

/** Every route changes with the version. */
function versionedRoutes(backendPort: number, version: number): string {
  const routes = Array.from({ length: ROUTES }, (_, number) => versionedRoute(number, version));
  return `services:\n${serviceYaml("backend", backendPort)}routes:\n${routes.join("")}`;
}

function versionedRoute(number: number, version: number): string {
  return `  - name: r${number}
    matches: [{ path: /api/r${number}/* }]
    plugins: [{ use: response-headers, with: { set: { ${VERSION_HEADER}: "${version}" } } }]
    backends: [{ service: backend }]
`;
}
