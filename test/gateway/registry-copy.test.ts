import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { copyName, createCopies, createRegistryCopy, type RegistryCopy } from "../../src/gateway/registry-copy.ts";
import { copyText } from "../../src/registry/copy-text.ts";
import type { EndpointSpec } from "../../src/registry/registry.ts";
import type { RedisTarget } from "../../src/store/redis-target.ts";
import { eventually } from "../support/load.ts";

const TARGET: RedisTarget = { url: "redis://app:hunter2-hunter2@redis.test:6380/3" };
const ONE: EndpointSpec = { id: "one", url: "http://127.0.0.1:9001", weight: 1 };
const HOUR_MS = 3_600_000;

let folder = "";
let file = "";
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "torii-copy-")), "state");
  file = join(folder, copyName(TARGET));
});
afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

function open(nowAt: () => number = Date.now, into: string | null = folder) {
  const warnings: string[] = [];
  const results: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void warnings.push(line) });
  const copy = createRegistryCopy({
    target: TARGET,
    folder: () => into,
    log,
    random: () => 0,
    onSaved: (result) => void results.push(result),
    nowAt,
  });
  copy.lastGood.enter("shop");
  return { copy, warnings, results, [Symbol.dispose]: () => copy.close() };
}

function tell(copy: RegistryCopy, ...endpoints: readonly EndpointSpec[]): void {
  copy.lastGood.remember("shop", { endpoints, mark: "m" });
}

describe("the last good copy", () => {
  test("is written in one step for this user alone, and found by the next", async () => {
    using first = open();
    tell(first.copy, ONE);
    await eventually(() => first.results.length > 0, "the copy");
    expect([first.results, first.warnings]).toEqual([["success"], []]);
    expect(await readdir(folder)).toEqual([copyName(TARGET)]);
    expect([(await stat(file)).mode & 0o777, (await stat(folder)).mode & 0o777]).toEqual([0o600, 0o700]);
    using next = open();
    expect(next.copy.lastGood.recall("shop")).toMatchObject({ endpoints: [ONE], mark: "m" });
    expect(next.copy.foundAt).toBeGreaterThan(Date.now() - 60_000);
  });

  test("says nothing of who asks Redis, in its name or in itself", async () => {
    using one = open();
    tell(one.copy, ONE);
    one.copy.close();
    expect(`${copyName(TARGET)} ${await readFile(file, "utf8")}`).not.toMatch(/hunter2|app/);
    expect(copyName({ url: "redis://else:other@redis.test:6380/3" })).toBe(copyName(TARGET));
    expect(copyName({ url: "redis://redis.test:6380/2" })).not.toBe(copyName(TARGET));
    expect(copyName({ ...TARGET, prefix: "other:" })).not.toBe(copyName(TARGET));
    expect(copyName({ cluster: ["b:1", "a:1"] })).toBe(copyName({ cluster: ["a:1", "b:1"] }));
  });

  test("is written once for changes in a row, and not for loads", async () => {
    using one = open();
    for (let weight = 1; weight <= 50; weight++) tell(one.copy, { ...ONE, weight });
    await eventually(() => one.results.length > 0, "the copy");
    for (let part = 0; part < 50; part++) tell(one.copy, { ...ONE, weight: 50, load: { cpu: part / 50 } });
    one.copy.close();
    expect(one.results).toEqual(["success"]);
    expect(await readFile(file, "utf8")).toContain('"weight":50');
  });

  test("is written at the end when a change was not yet, and left by another that knows the same", async () => {
    using one = open();
    using other = open();
    tell(one.copy, ONE);
    one.copy.close();
    tell(other.copy, ONE);
    other.copy.close();
    expect([one.results, other.results]).toEqual([["success"], []]);
  });

  test("is kept by two at once that write all the time, whole at each moment", async () => {
    using one = open();
    using other = open();
    const saves = () => one.results.length + other.results.length;
    for (let round = 0; saves() < 5; round++) {
      tell(one.copy, { ...ONE, weight: round });
      tell(other.copy, { ...ONE, weight: round + 100_000 });
      await Bun.sleep(5);
      using reader = open();
      const known = reader.copy.lastGood.recall("shop");
      expect([reader.warnings, known === null]).toEqual([[], saves() === 0 && known === null]);
    }
    expect([...one.results, ...other.results]).not.toContain("failure");
  });

  test.each([
    ["damaged", (text: string) => text.replace("9001", "9002"), "cut short or damaged"],
    ["cut short", (text: string) => text.slice(0, -10), "cut short or damaged"],
    ["somebody else's", () => "hello\n", "no copy of a registry"],
    ["empty", () => "", "no copy of a registry"],
    ["of an older version", (text: string) => text.replace('"version":1', '"version":0'), "of version 0"],
  ])("that is %s is one warning, and no endpoints", async (_, broken, reason) => {
    const { text } = copyText(new Map([["shop", { endpoints: [ONE], mark: "", at: Date.now() }]]), Date.now());
    await mkdir(folder, { recursive: true });
    await writeFile(file, broken(text));
    using one = open();
    expect(one.copy.lastGood.recall("shop")).toBeNull();
    expect(one.copy.foundAt).toBeNull();
    expect(one.warnings).toHaveLength(1);
    expect(one.warnings[0]).toContain(reason);
    tell(one.copy, ONE);
    one.copy.close();
    using next = open();
    expect([next.warnings, next.copy.lastGood.recall("shop")?.endpoints]).toEqual([[], [ONE]]);
  });

  test("that is older than seven days is not used", async () => {
    using one = open();
    tell(one.copy, ONE);
    one.copy.close();
    using fresh = open(() => Date.now() + 7 * 24 * HOUR_MS - 60_000);
    expect(fresh.copy.lastGood.recall("shop")?.endpoints).toEqual([ONE]);
    using late = open(() => Date.now() + 7 * 24 * HOUR_MS + 60_000);
    expect(late.copy.lastGood.recall("shop")).toBeNull();
    expect(late.warnings).toHaveLength(1);
  });

  test.each([
    ["a folder in its place", () => mkdir(file, { recursive: true })],
    [
      "a pipe in its place",
      async () => {
        await mkdir(folder, { recursive: true });
        Bun.spawnSync(["mkfifo", file]);
      },
    ],
  ])("with %s is one warning at the start", async (_, put) => {
    await put();
    using one = open();
    expect(one.copy.lastGood.recall("shop")).toBeNull();
    expect(one.warnings).toHaveLength(1);
    tell(one.copy, ONE);
    await eventually(() => one.results.length > 0, "an attempt to write");
  });

  test("that cannot be written is one warning, until it can, and then another", async () => {
    await writeFile(folder, "in the way");
    using one = open();
    const begun = one.warnings.length;
    for (let weight = 1; weight <= 3; weight++) {
      tell(one.copy, { ...ONE, weight });
      await eventually(() => one.results.length === weight, "an attempt");
    }
    expect(one.results).toEqual(["failure", "failure", "failure"]);
    expect(one.warnings.slice(begun)).toHaveLength(1);
    expect(one.warnings.at(-1)).toContain("cannot be written: serving goes on");
    await rm(folder);
    tell(one.copy, { ...ONE, weight: 9 });
    await eventually(() => one.results.at(-1) === "success", "the copy");
  });

  test("is nowhere without a folder, and still remembers", async () => {
    using one = open(Date.now, null);
    tell(one.copy, ONE);
    one.copy.close();
    expect(one.results).toEqual([]);
    expect(await readdir(join(folder, ".."))).toEqual([]);
    expect(one.copy.lastGood.recall("shop")?.endpoints).toEqual([ONE]);
  });

  test("lets no older ones of other registries pile up, nor what a crash left", async () => {
    await mkdir(folder, { recursive: true });
    const [old, young, temporary, foreign] = [
      "registry-0123456789abcdef.json",
      "registry-0123456789abcde0.json",
      `${copyName(TARGET)}.${crypto.randomUUID()}.tmp`,
      "else.json",
    ];
    for (const name of [old, young, temporary, foreign]) await writeFile(join(folder, name), "x");
    const longAgo = new Date(Date.now() - 8 * 24 * HOUR_MS);
    for (const name of [old, temporary, foreign]) await utimes(join(folder, name), longAgo, longAgo);
    using one = open();
    tell(one.copy, ONE);
    const isTidy = async () => !(await readdir(folder)).includes(old);
    await eventually(isTidy, "the old one to go");
    expect((await readdir(folder)).toSorted()).toEqual([foreign, young, copyName(TARGET)].toSorted());
  });

  test("is shared by all ways to one registry, until the last has gone", async () => {
    const results: string[] = [];
    const copies = createCopies({
      folder: () => folder,
      log: pino({ enabled: false }),
      random: () => 0,
      onSaved: (result) => void results.push(result),
    });
    const [one, other] = [copies.lend(TARGET), copies.lend({ url: "redis://redis.test:6380/3" })];
    one.lastGood.enter("shop");
    tell(one, ONE);
    one.close();
    expect([other.lastGood.recall("shop")?.endpoints, results]).toEqual([[ONE], []]);
    other.close();
    expect(results).toEqual(["success"]);
  });
});
