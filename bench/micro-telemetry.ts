// Nanoseconds of what telemetry adds to a request: bun bench/micro-telemetry.ts
import { openSync } from "node:fs";
import { type AccessEntry, accessLine, createTimeText } from "../src/telemetry/access-line.ts";
import { createAccessLog } from "../src/telemetry/access-log.ts";
import { createIds } from "../src/telemetry/id.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { redactTarget } from "../src/telemetry/redaction.ts";

const ROUNDS = 7;
const CALLS_PER_ROUND = 200_000;
const CALLS_PER_TURN = 5000;

/** Nanoseconds a call, the median of some rounds; the event loop turns in between, as it does in a gateway. */
async function measure(run: (i: number) => void): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const from = Bun.nanoseconds();
    for (let i = 0; i < CALLS_PER_ROUND; i++) {
      run(i);
      if (i % CALLS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // The first round is for the compiler.
    if (round > 0) rounds.push((Bun.nanoseconds() - from) / CALLS_PER_ROUND);
  }
  return rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0;
}

function entry(i: number): AccessEntry {
  return {
    at: Date.now(),
    id: "0123456789abcdef0123456789abcdef",
    traceId: null,
    tls: null,
    client: "192.0.2.7",
    method: "GET",
    host: "shop.example.com",
    target: `/catalog/items/${i}`,
    protocol: "HTTP/1.1",
    route: "catalog",
    service: "catalog",
    endpoint: "127.0.0.1:9001",
    status: 200,
    bytesReceived: 0,
    bytesSent: 1234,
    durationMs: 1 + i / 1e6,
    upstreamMs: 0.9,
    attempts: 1,
    error: null,
    decisions: null,
  };
}

function report(name: string, value: string): void {
  console.log(name.padEnd(52), value.padStart(12));
}

async function reportCalls(name: string, run: (i: number) => void): Promise<void> {
  report(name, `${(await measure(run)).toFixed(0)} ns`);
}

async function measureMetrics(): Promise<void> {
  const metrics = createMetrics({ version: "bench" });
  const slots = Array.from({ length: 1000 }, (_, i) => metrics.routeSlot(`route-${i}`));
  const slot = metrics.routeSlot("route-0");
  await reportCalls("observe, one route", (i) => slot.observe("GET", 200, (i % 100) / 10_000));
  await reportCalls("observe, 1,000 routes, 4 statuses", (i) =>
    slots[i % 1000]?.observe("POST", 200 + (i & 3), (i % 100) / 10_000),
  );
  const from = Bun.nanoseconds();
  const text = await metrics.render();
  report(`scrape of ${(text.length / 1e6).toFixed(1)} MB`, `${((Bun.nanoseconds() - from) / 1e6).toFixed(0)} ms`);
}

async function measureLog(): Promise<void> {
  let droppedLines = 0;
  const onDrop = (lines: number): void => {
    droppedLines += lines;
  };
  const timeText = createTimeText();
  let chars = 0;
  await reportCalls("access line, built only", (i) => {
    chars += accessLine(entry(i), timeText(Date.now())).length;
  });
  const log = createAccessLog({ target: openSync("/dev/null", "w"), onDrop });
  await reportCalls("access line, built and written to /dev/null", (i) => log.log(entry(i)));
  await log.close();
  report(`  bytes a line; lines dropped`, `${Math.round(chars / (ROUNDS + 1) / CALLS_PER_ROUND)}; ${droppedLines}`);
  await reportCalls("query of three parameters, redacted", (i) => redactTarget(`/a?page=${i}&lang=en&token=abc`));
}

await measureMetrics();
await measureLog();
const id = createIds();
await reportCalls("id", () => id());
