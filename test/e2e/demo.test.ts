import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTorii, type ToriiProcess } from "../support/process.ts";
import { closedPort } from "../support/unreachable.ts";

const ROOT = join(import.meta.dir, "../..");

let folder: string;
let demo: ToriiProcess;
/** The commands that the demo prints. */
let commands: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "torii-demo-"));
  const [port, status] = [closedPort(), closedPort()];
  const torii = {
    listeners: [{ name: "http", port }],
    routes: join(ROOT, "routes"),
    plugins: join(ROOT, "my-plugins"),
    status: { port: status },
    shutdown: { delay: "0s", timeout: "1s" },
  };
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii));
  demo = startTorii(["run", "--demo"], folder);
  await demo.says(/\.\.\/echo/, 15_000);
  commands = demo
    .output()
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^(?:curl|for) /.test(line));
}, 20_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a printed command as it stands, for at most two seconds of streaming. */
function shell(command: string): { readonly code: number; readonly text: string } {
  const bounded = command.replaceAll(/\bcurl\b/g, "curl -sS --max-time 2");
  const result = Bun.spawnSync(["sh", "-c", bounded]);
  return { code: result.exitCode, text: result.stdout.toString() + result.stderr.toString() };
}

function printed(fragment: string): string {
  const found = commands.find((command) => command.includes(fragment));
  if (found === undefined) throw new Error(`no command with ${fragment} in\n${demo.output()}`);
  return found;
}

// curl's word for its time being up, which ends the endless stream of events.
const TIMED_OUT = 28;

describe("the demo", () => {
  test("prints commands that all work as they stand", () => {
    expect(commands.length).toBeGreaterThanOrEqual(7);
    for (const command of commands) {
      const { code, text } = shell(command);
      expect([command, [0, TIMED_OUT].includes(code), text.trim().length > 0]).toEqual([command, true, true]);
    }
  });

  test("shows a prefix, a header match, a redirect, a rewrite and a plugin", () => {
    expect(shell(printed("x-beta: 1")).text).toContain("next");
    expect(shell(printed("/shop/items")).text).toMatch(/^HTTP\/1\.1 301[\s\S]*location: .*\/catalog\/items/i);
    expect(shell(printed("/api/v1/items/2")).text).toContain("2");
    expect(shell(printed("/hello")).text).toMatch(/x-hello: /i);
    expect(shell(printed("/echo")).text).toMatch(/x-forwarded-for/i);
    expect(shell(printed("--path-as-is")).text).toContain("urn:torii:problem:ambiguous_path");
  });

  test("splits the work between two versions", () => {
    // The printed loop asks 20 times; 15 times as many leave chance less than one in a billion to miss these bounds.
    const { text } = shell(printed("for i in").replace("/items/1;", "/items/1'?[1-15]';"));
    const versions = Array.from(text.matchAll(/"version":"(\w+)"/g), ([, version]) => version);
    const next = versions.filter((version) => version === "next").length;
    expect([versions.length, new Set(versions)]).toEqual([300, new Set(["current", "next"])]);
    expect(next).toBeGreaterThan(15);
    expect(next).toBeLessThan(120);
  }, 20_000);

  test("streams events as they come", () => {
    expect(shell(printed("/events")).text).toContain("data:");
  });
});
