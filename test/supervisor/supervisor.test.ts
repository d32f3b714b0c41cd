import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import type { Loaded } from "../../src/config/source.ts";
import { applyConfig } from "../../src/supervisor/change.ts";
import { createParts } from "../../src/supervisor/parts.ts";
import { createSupervisor } from "../../src/supervisor/supervisor.ts";
import { exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { readSetup } from "./setup.ts";
import { GET, isAlive } from "./support.ts";

// Every test starts processes.
setDefaultTimeout(60_000);

/** Process ids of this process's children. */
async function children(): Promise<readonly number[]> {
  const tasks = await readdir("/proc/self/task");
  const texts = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/children`, "utf8").catch(() => "")),
  );
  return texts.flatMap((text) => text.split(" ").filter((word) => word !== "")).map(Number);
}

test("a supervisor that cannot watch its files leaves nobody behind", async () => {
  await using setup = await readSetup();
  const { options, port, statusPort } = setup;
  const before = await children();
  const loaded: Loaded = {
    ...options.loaded,
    get watched(): never {
      throw new Error("the disk is gone");
    },
  };
  await expect(createSupervisor({ ...options, loaded })).rejects.toThrow("the disk is gone");
  expect(setup.log.join("")).toContain("workers serve");
  expect((await children()).filter((pid) => !before.includes(pid) && isAlive(pid))).toEqual([]);
  for (const each of [port, statusPort]) await expect(exchange({ port: each }, GET)).rejects.toThrow();
});

test("a change that fails when the first worker has taken it is live, and nobody says that the old one stays", async () => {
  await using setup = await readSetup();
  const { options, port } = setup;
  const parts = createParts(options);
  const { listeners, workers } = options.loaded.config;
  parts.sockets.prepare(listeners, workers).commit();
  expect(await parts.crew.grow(workers)).toBeNull();
  const rest = { commit() {}, abort: () => expect.unreachable() };
  const onTaken = () => {
    throw new Error("no watch is left");
  };
  await applyConfig({ ...options.loaded, config: { ...options.loaded.config, workers: 1 } }, null, {
    ...parts,
    log: options.log,
    prepareRest: () => rest,
    onTaken,
  });
  expect(setup.log.join("")).toMatch(/no watch is left.*configuration is live, but a part of the change failed/);
  // The rest of the change is done all the same.
  expect(parts.crew.slots.length).toBe(1);
  const only = parts.crew.slots[0]?.current?.pid;
  for (let at = 0; at < 10; at++) expect((await exchange({ port }, GET)).body.toString()).toBe(String(only));
  await parts.crew.stop();
  parts.sockets.closeAll();
  await parts.output.close();
  await eventually(() => only !== undefined && !isAlive(only), "the worker to end");
});
