import { heapStats } from "bun:jsc";
import { appendFileSync } from "node:fs";

// Preloaded into the gateway of a soak that is to be looked into: TORII_SOAK_HEAP names the file that it writes to.
const EVERY_MS = 10_000;
const path = process.env["TORII_SOAK_HEAP"];

function note(to: string): void {
  Bun.gc(true);
  const { heapSize, heapCapacity, extraMemorySize, objectTypeCounts, protectedObjectTypeCounts } = heapStats();
  const { rss, external, arrayBuffers } = process.memoryUsage();
  const facts = { rss, external, arrayBuffers, heapSize, heapCapacity, extraMemorySize };
  appendFileSync(to, `${JSON.stringify({ at: Date.now(), ...facts, objectTypeCounts, protectedObjectTypeCounts })}\n`);
}

if (path !== undefined) setInterval(note, EVERY_MS, path).unref();
