import { UPLOAD_PATH } from "./backend.ts";
import { runH2load } from "./h2load.ts";
import { locateProgram } from "./machine.ts";
import type { Children } from "./process.ts";

/** One kind of request, as many clients as given repeat it without a pause. */
export interface LoadSpec {
  readonly method: "GET" | "POST";
  /** One path, or several which are taken in turn. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with each request; 0 for none. */
  readonly uploadBytes: number;
  readonly connections: number;
  readonly isTls: boolean;
  /** Requests at once on each connection, by HTTP/2; null: HTTP/1.1. */
  readonly streams: number | null;
}

/** A GET without headers of its own but Host. */
export function get(path: string, connections: number): LoadSpec {
  return { method: "GET", paths: [path], headers: {}, uploadBytes: 0, connections, isTls: false, streams: null };
}

/** A POST of so many bytes. */
export function upload(uploadBytes: number, connections: number): LoadSpec {
  return { ...get(UPLOAD_PATH, connections), method: "POST", uploadBytes };
}

export interface LoadTarget {
  readonly port: number;
  readonly durationSeconds: number;
  readonly core: number;
  /** Takes the script for wrk. */
  readonly scriptFile: string;
}

export interface LoadResult {
  /** Answered, whatever the status. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Statuses from 400 on, and requests that got no answer. */
  readonly failed: number;
  /** Kinds of failure with their counts; empty when there was none. */
  readonly failures: string;
}

const MARK = "TORII-BENCH ";

/** Runs wrk, or h2load where streams are asked for, with one thread; throws when its output is not understood. */
export async function runLoad(children: Children, spec: LoadSpec, target: LoadTarget): Promise<LoadResult> {
  if (spec.streams !== null) return runH2load(children, { ...spec, streams: spec.streams }, target);
  await Bun.write(target.scriptFile, wrkScript(spec));
  const result = await children.run(wrkCommand(spec, target), target.core);
  if (result.exitCode !== 0) throw new Error(`wrk ended with ${result.exitCode}: ${result.output.trim()}`);
  return parseWrkOutput(result.output);
}

function wrkCommand(spec: LoadSpec, target: LoadTarget): readonly string[] {
  const url = `${spec.isTls ? "https" : "http"}://127.0.0.1:${target.port}${spec.paths[0] ?? "/"}`;
  const size = [`-c${spec.connections}`, `-d${target.durationSeconds}s`];
  return [locateProgram("wrk") ?? "wrk", "-t1", ...size, "--timeout", "10s", "-s", target.scriptFile, url];
}

/** wrk gives its figures to a Lua function exactly; its printed report rounds them and changes units. */
function wrkScript(spec: LoadSpec): string {
  const headers = Object.entries(spec.headers).map(([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`);
  const body = spec.uploadBytes === 0 ? "" : `wrk.body = string.rep("x", ${spec.uploadBytes})`;
  return `wrk.method = ${lua(spec.method)}
${headers.join("\n")}
${body}
${spec.paths.length > 1 ? rotation(spec.paths) : ""}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(${lua(`\n${MARK}%d %d %d %d %d %d %d %d %d %d\n`)}, summary.requests, summary.duration,
    summary.bytes, latency:percentile(50), latency:percentile(99), e.connect, e.read, e.write, e.timeout, e.status))
end
`;
}

/** In a scattered order, so that neighbours in a table are not asked for one after the other. */
function rotation(paths: readonly string[]): string {
  return `local paths = { ${paths.map(lua).join(", ")} }
local requests, at = {}, 0
function init()
  for i, path in ipairs(paths) do requests[i] = wrk.format(nil, path) end
end
function request()
  at = (at + 7919) % #requests
  return requests[at + 1]
end`;
}

/** A JSON string of plain ASCII is also a Lua string. */
function lua(text: string): string {
  return JSON.stringify(text);
}

/** Reads the line that the script writes; throws with the whole output when it is not there. */
export function parseWrkOutput(output: string): LoadResult {
  const line = output.split("\n").find((text) => text.startsWith(MARK));
  const values = line?.slice(MARK.length).trim().split(" ").map(Number) ?? [];
  const [requests, durationUs, bytes, p50Us, p99Us, ...errors] = values;
  if (requests === undefined || durationUs === undefined || bytes === undefined || values.some(Number.isNaN)) {
    throw new Error(`wrk printed no figures: ${output.trim()}`);
  }
  return {
    requests,
    requestsPerSecond: (requests / durationUs) * 1e6,
    bytesPerSecond: (bytes / durationUs) * 1e6,
    p50Ms: (p50Us ?? Number.NaN) / 1000,
    p99Ms: (p99Us ?? Number.NaN) / 1000,
    failed: errors.reduce((total, count) => total + count, 0),
    failures: nameFailures(errors),
  };
}

const FAILURES = ["connect", "read", "write", "timeout", "status 4xx/5xx"] as const;

function nameFailures(counts: readonly number[]): string {
  return FAILURES.flatMap((name, index) => (counts[index] ? [`${name} ${counts[index]}`] : [])).join(", ");
}
