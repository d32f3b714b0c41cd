import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ABORT_ACTORS } from "./mixed/aborts.ts";
import { startTraffic, type Tally } from "./mixed/actor.ts";
import { GRPC_ACTORS } from "./mixed/calls.ts";
import { CHANGE_ACTORS } from "./mixed/changes.ts";
import { IDLE_SECONDS, type MixedEdge, startMixedEdge } from "./mixed/edge.ts";
import { HTTP1_ACTORS } from "./mixed/http1.ts";
import { HTTP2_ACTORS } from "./mixed/http2.ts";
import { PIPE_ACTORS } from "./mixed/pipes.ts";
import { curve, drift, handshakes, type Sample, sample, watch } from "./mixed/samples.ts";
import { STRANGER_ACTORS } from "./mixed/strangers.ts";
import { WEBSOCKET_ACTORS } from "./mixed/websockets.ts";

/** A run shorter than a minute may end before everybody has had a turn. */
const LEAST_SECONDS = 60;
const SECONDS = Number(process.env["TORII_SOAK_SECONDS"] ?? 600);
/** Runs only actors whose name holds it, to find out who makes what is seen. */
const ONLY = process.env["TORII_SOAK_ONLY"] ?? "";
const HEAP_FILE = process.env["TORII_SOAK_HEAP"];
const MIB = 1024 * 1024;

const ACTORS = [
  ...HTTP1_ACTORS,
  ...HTTP2_ACTORS,
  ...GRPC_ACTORS,
  ...WEBSOCKET_ACTORS,
  ...PIPE_ACTORS,
  ...ABORT_ACTORS,
  ...STRANGER_ACTORS,
  ...CHANGE_ACTORS,
].filter(({ name }) => name.includes(ONLY));

function spyOnHeap(): Readonly<Record<string, string>> {
  const spy = join(import.meta.dir, "mixed/heap-spy.ts");
  return HEAP_FILE === undefined ? {} : { TORII_SOAK_HEAP: HEAP_FILE, BUN_OPTIONS: `--preload=${spy}` };
}

function report({ done, failed, failures }: Tally): string {
  const names = [...new Set([...done.keys(), ...failed.keys()])].sort();
  const lines = names.map((name) => {
    const missed = failed.get(name);
    return `${String(done.get(name) ?? 0).padStart(8)}  ${name}${missed === undefined ? "" : `, ${missed} FAILED`}`;
  });
  return [...lines, ...failures.map((failure) => `FAILED ${failure}`)].join("\n");
}

/** Waits until nobody is connected and nothing is kept any more; the last sample tells what is left. */
async function atRest({ gateway }: MixedEdge): Promise<Sample> {
  const deadlineAt = performance.now() + (IDLE_SECONDS + 15) * 1000;
  for (;;) {
    const last = await sample(gateway, 0);
    const isAtRest = last.connections + last.inFlight + last.passages + last.upstreams === 0;
    if (isAtRest || performance.now() > deadlineAt) return last;
    await Bun.sleep(500);
  }
}

/** Entries of the gateway's log that should wake somebody. */
function alarms({ gateway }: MixedEdge): readonly string[] {
  return gateway.process
    .output()
    .split("\n")
    .filter((line) => line.includes('"level":"error"') || /^(?!\{).*(?:error|panic|warn)/i.test(line));
}

// Ten minutes unless TORII_SOAK_SECONDS says otherwise. On a quiet machine the gateway takes 15 % of a core and the
// clients and services, all in this process, twice that. TORII_SOAK_HEAP names a file for the gateway's heap statistics,
// one line every ten seconds, each behind a full collection.
describe("mixed traffic", () => {
  test(`for ${SECONDS} s fails nothing but by its own doing, and leaves memory and descriptors where they were`, async () => {
    await using edge = await startMixedEdge(spyOnHeap());
    const { gateway } = edge;
    const first = await sample(gateway, 0);
    const traffic = startTraffic(ACTORS, edge, Math.random);
    const samples = await watch(gateway, SECONDS);
    const tally = await traffic.stop();
    const last = await atRest(edge);
    const shaken = await handshakes(gateway);
    console.log([report(tally), ...shaken, curve(samples)].join("\n"));
    const rss = drift(samples, (one) => one.rssBytes);
    const descriptors = drift(samples, (one) => one.descriptors);
    console.log(
      `memory ${(rss.before / MIB).toFixed(1)} -> ${(rss.after / MIB).toFixed(1)} MiB, ${(last.rssBytes / MIB).toFixed(1)} at rest; ` +
        `descriptors ${descriptors.before} -> ${descriptors.after}, ${last.descriptors} at rest (${first.descriptors} before)`,
    );
    expect(tally.failures).toEqual([]);
    if (SECONDS >= LEAST_SECONDS) expect(ACTORS.filter(({ name }) => !tally.done.has(name))).toEqual([]);
    if (ONLY === "") expect(shaken.join("\n")).toMatch(/result="resumed"\} [1-9]/);
    expect(alarms(edge)).toEqual([]);
    expect(last).toMatchObject({ connections: 0, inFlight: 0, passages: 0, upstreams: 0 });
    expect(last.descriptors).toBeLessThanOrEqual(first.descriptors + 8);
    expect(descriptors.after).toBeLessThanOrEqual(descriptors.before + Math.max(20, descriptors.before * 0.1));
    expect(rss.after).toBeLessThanOrEqual(rss.before + Math.max(16 * MIB, rss.before * 0.1));
    gateway.process.signal("SIGTERM");
    expect(await gateway.process.exited).toBe(0);
  });
});
