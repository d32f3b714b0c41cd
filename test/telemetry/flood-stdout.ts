// Run as a process of its own: floods its stdout with access lines and tells on stderr what became of them.
import { writeSync } from "node:fs";
import { createAccessLog } from "../../src/telemetry/access-log.ts";
import { accessEntry } from "./support.ts";

const LINES = 100_000;
const LINES_PER_TURN = 1000;

let droppedLines = 0;
const log = createAccessLog({
  target: 1,
  maxBufferBytes: 1024 * 1024,
  closeTimeoutMs: 100,
  onDrop: (lines) => {
    droppedLines += lines;
  },
});
const entry = accessEntry();
const before = process.memoryUsage.rss();
let turns = 0;
for (; turns < LINES / LINES_PER_TURN; turns++) {
  for (let i = 0; i < LINES_PER_TURN; i++) log.log(entry);
  await new Promise((resolve) => setImmediate(resolve));
}
const grownBytes = process.memoryUsage.rss() - before;
await log.close();
writeSync(2, JSON.stringify({ turns, droppedLines, grownBytes }));
process.exit(0);
