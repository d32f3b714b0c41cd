import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAccessLog } from "../../src/telemetry/access-log.ts";
import { accessEntry } from "./support.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "torii-log-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function idsIn(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).requestId);
}

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

/** Runs the flood with its stdout into a shell command, and gives what it told. */
function flood(reader: string): { turns: number; droppedLines: number; grownBytes: number; stdout: string } {
  const script = join(import.meta.dir, "flood-stdout.ts");
  const report = join(folder, "report.json");
  const command = `${process.execPath} ${script} 2>${report} | { ${reader}; }`;
  const { stdout } = Bun.spawnSync(["sh", "-c", command], { stderr: "inherit" });
  return { ...JSON.parse(readFileSync(report, "utf8")), stdout: stdout.toString() };
}

describe("the access log in a file", () => {
  test("holds one line a request, in order, after what stood there", async () => {
    const path = join(folder, "plain.log");
    await Bun.write(path, '{"requestId":"old"}\n');
    const log = createAccessLog({ target: path });
    for (const id of ids(0, 5000)) log.log(accessEntry({ id }));
    await log.flush();
    expect(idsIn(readFileSync(path, "utf8"))).toEqual(["old", ...ids(0, 5000)]);
    await log.close();
  });

  test("is UTF-8 whatever octets a client sent", async () => {
    const path = join(folder, "latin1.log");
    const log = createAccessLog({ target: path });
    log.log(accessEntry({ target: "/caf\u00e9\u00ff" }));
    await log.close();
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
    expect(JSON.parse(text).path).toBe("/caf\u00e9\u00ff");
  });

  test("flushes while requests keep coming", async () => {
    const path = join(folder, "busy.log");
    const log = createAccessLog({ target: path });
    let isFlushed = false;
    log.log(accessEntry({ id: "first" }));
    const flushed = log.flush().then(() => {
      isFlushed = true;
    });
    while (!isFlushed) {
      for (let i = 0; i < 500; i++) log.log(accessEntry());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await flushed;
    // Later lines are still being written: only the first is certain to be whole.
    const [first = ""] = readFileSync(path, "utf8").split("\n");
    expect(JSON.parse(first).requestId).toBe("first");
    await log.close();
  });

  test("goes on in a new file after a rotation, and loses nothing", async () => {
    const path = join(folder, "rotated.log");
    const log = createAccessLog({ target: path });
    for (const id of ids(0, 1000)) log.log(accessEntry({ id }));
    await log.flush();
    renameSync(path, `${path}.1`);
    log.reopen();
    for (const id of ids(1000, 1010)) log.log(accessEntry({ id }));
    await log.close();
    expect(idsIn(readFileSync(`${path}.1`, "utf8"))).toEqual(ids(0, 1000));
    expect(idsIn(readFileSync(path, "utf8"))).toEqual(ids(1000, 1010));
  });

  test("keeps the old file when the new one cannot be opened", async () => {
    const inner = join(folder, "inner");
    const path = join(inner, "kept.log");
    await Bun.write(path, "");
    const log = createAccessLog({ target: path });
    renameSync(inner, `${inner}-moved`);
    expect(() => log.reopen()).toThrow("ENOENT");
    log.log(accessEntry({ id: "1" }));
    await log.close();
    expect(idsIn(readFileSync(join(`${inner}-moved`, "kept.log"), "utf8"))).toEqual(["1"]);
  });

  test("cannot be opened where there is no folder", () => {
    expect(() => createAccessLog({ target: join(folder, "none", "a.log") })).toThrow("ENOENT");
  });

  test("counts lines that come after its end, and ends twice without harm", async () => {
    let droppedLines = 0;
    const log = createAccessLog({
      target: join(folder, "closed.log"),
      onDrop: (lines) => {
        droppedLines += lines;
      },
    });
    await log.close();
    await log.close();
    log.log(accessEntry());
    expect(droppedLines).toBe(1);
  });

  test("counts lines when the disk is full, and does not throw", async () => {
    let droppedLines = 0;
    const log = createAccessLog({
      target: "/dev/full",
      onDrop: (lines) => {
        droppedLines += lines;
      },
    });
    for (const id of ids(0, 10)) log.log(accessEntry({ id }));
    await log.flush();
    expect(droppedLines).toBe(10);
    await log.close();
  });
});

describe("the access log in a pipe", () => {
  test("that nobody reads drops lines and counts them, in bounded memory, while the process goes on", () => {
    const { turns, droppedLines, grownBytes } = flood("sleep 1");
    expect(turns).toBe(100);
    expect(droppedLines).toBeGreaterThan(90_000);
    expect(grownBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test("whose reader left drops lines and counts them", () => {
    const { turns, droppedLines } = flood("exec <&-; true");
    expect(turns).toBe(100);
    expect(droppedLines).toBeGreaterThan(90_000);
  });

  test("with a quick reader accounts for every line", () => {
    const { droppedLines, stdout } = flood("wc -l");
    expect(Number(stdout) + droppedLines).toBe(100_000);
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  test("in non-blocking mode waits for the reader, and each line arrives whole or is counted", async () => {
    const path = join(folder, "fifo");
    Bun.spawnSync(["mkfifo", path]);
    // Opened for both, so that the log finds a reader; nothing is read until the buffer has overflowed.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    let droppedLines = 0;
    const log = createAccessLog({
      target: path,
      maxBufferBytes: 256 * 1024,
      onDrop: (lines) => {
        droppedLines += lines;
      },
    });
    for (const id of ids(0, 2000)) log.log(accessEntry({ id }));
    const reader = Bun.spawn(["cat", path], { stdout: "pipe" });
    await log.close();
    closeSync(fd);
    const arrived = idsIn(await new Response(reader.stdout).text());
    expect(droppedLines).toBeGreaterThan(0);
    expect(arrived).toEqual(ids(0, 2000 - droppedLines));
  });
});
