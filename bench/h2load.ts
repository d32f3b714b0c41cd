import type { LoadResult, LoadSpec, LoadTarget } from "./load.ts";
import { locateProgram } from "./machine.ts";
import type { Children } from "./process.ts";

/** What brings the program that asks by HTTP/2. */
export const H2LOAD_INSTALL = "apt-get install nghttp2-client nghttp2-server";

/** Runs h2load with one thread; throws when it does not run or its output is not understood. */
export async function runH2load(
  children: Children,
  spec: LoadSpec & { readonly streams: number },
  target: LoadTarget,
): Promise<LoadResult> {
  const result = await children.run(await command(spec, target), target.core);
  if (result.exitCode !== 0) throw new Error(`h2load ended with ${result.exitCode}: ${result.output.trim()}`);
  return parseH2loadOutput(result.output);
}

async function command(spec: LoadSpec & { readonly streams: number }, target: LoadTarget): Promise<readonly string[]> {
  const scheme = spec.isTls ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${target.port}${spec.paths[0] ?? "/"}`;
  const size = ["-t1", `-c${spec.connections}`, `-m${spec.streams}`, `-D${target.durationSeconds}`];
  const headers = Object.entries(spec.headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  return [locateProgram("h2load") ?? "h2load", ...size, ...headers, ...(await upload(spec, target)), url];
}

async function upload(spec: LoadSpec, target: LoadTarget): Promise<readonly string[]> {
  if (spec.uploadBytes === 0) return [];
  const file = `${target.scriptFile}.body`;
  await Bun.write(file, new Uint8Array(spec.uploadBytes));
  return ["-d", file];
}

/** Reads the summary; throws with the whole output when a figure is missing. h2load tells no percentiles: NaN. */
export function parseH2loadOutput(output: string): LoadResult {
  const finished = /finished in ([\d.]+)(s|ms|us), ([\d.]+) req\/s, ([\d.]+)(B|KB|MB|GB)\/s/.exec(output);
  const counts =
    /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/;
  const requests = counts.exec(output);
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output);
  if (finished === null || requests === null || statuses === null) {
    throw new Error(`h2load printed no figures: ${output.trim()}`);
  }
  const [failed, errored, timeouts] = [Number(requests[3]), Number(requests[4]), Number(requests[5])];
  const wrong = Number(statuses[3]) + Number(statuses[4]);
  return {
    requests: Number(requests[2]),
    requestsPerSecond: Number(finished[3]),
    bytesPerSecond: Number(finished[4]) * unitOf(finished[5]),
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    failed: failed + wrong,
    failures: failed + wrong === 0 ? "" : `errored ${errored}, timeout ${timeouts}, status 4xx/5xx ${wrong}`,
  };
}

function unitOf(unit: string | undefined): number {
  return { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[unit ?? ""] ?? 1;
}
