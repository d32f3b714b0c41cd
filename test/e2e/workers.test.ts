import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startHttp2Load } from "../supervisor/http2-load.ts";
import { GET, isAlive, startPoliteLoad, startReady, WHO } from "../supervisor/support.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { startTorii } from "../support/process.ts";

// Every test starts processes, and some of them several one after the other.
setDefaultTimeout(60_000);

describe("two workers", () => {
  test("share the connections of one port evenly", async () => {
    await using workers = await startReady();
    const seen = await workers.askMany(200);
    expect([...seen.keys()].sort()).toEqual([...(await workers.pids())].sort());
    // A fair coin stays within these bounds but once in some ten million runs.
    for (const count of seen.values()) expect(count).toBeGreaterThan(60);
  });

  test("count together, and their metrics are told as one", async () => {
    await using workers = await startReady();
    await workers.askMany(40);
    expect(await workers.metric("http_server_request_duration_seconds_count")).toBe(40);
    expect([await workers.metric("torii_workers"), await workers.metric("torii_workers_answered")]).toEqual([2, 2]);
    expect(await workers.metric("torii_build_info")).toBe(1);
    expect(await workers.metric("torii_config_last_reload_successful")).toBe(1);
  });

  test("lose no count when one of them is replaced", async () => {
    await using workers = await startReady();
    await workers.askMany(40);
    workers.torii.signal("SIGUSR2");
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 2, "two restarts", 15_000);
    await eventually(async () => (await workers.metric("torii_workers")) === 2, "the old ones to end", 15_000);
    expect(await workers.metric("http_server_request_duration_seconds_count")).toBe(40);
    await workers.askMany(10);
    expect(await workers.metric("http_server_request_duration_seconds_count")).toBe(50);
  });

  test("write whole lines to one access log", async () => {
    await using workers = await startReady();
    const load = startPoliteLoad(workers.port, { kept: 16, fresh: 2 });
    await eventually(() => load.answered() > 3000, "some load", 15_000);
    await load.stop();
    const answered = load.answered();
    await eventually(() => workers.torii.stdout().split("\n").length > answered, "all lines", 10_000);
    const lines = workers.torii.stdout().trimEnd().split("\n");
    expect(lines.length).toBe(answered);
    const ids = new Set(lines.map((line) => JSON.parse(line).requestId));
    expect(ids.size).toBe(answered);
  });

  test("append whole lines to the access log's file", async () => {
    await using workers = await startReady({ torii: { telemetry: { accessLog: { path: "access.log" } } } });
    const load = startPoliteLoad(workers.port, { kept: 16, fresh: 2 });
    await eventually(() => load.answered() > 1000, "some load", 15_000);
    await load.stop();
    const text = () => readFile(join(workers.folder, "access.log"), "utf8");
    await eventually(async () => (await text()).split("\n").length > load.answered(), "all lines", 10_000);
    const ids = new Set(
      (await text())
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).requestId),
    );
    expect(ids.size).toBe(load.answered());
  });

  test("say in their log which one speaks", async () => {
    await using workers = await startReady();
    for (const slot of [1, 2]) await workers.torii.says(new RegExp(`"worker":${slot},.*"configuration is live"`));
  });
});

describe("a worker that is killed", () => {
  test("fails no request of the other one, and new connections are served", async () => {
    await using workers = await startReady();
    const [victim = 0, other = 0] = await workers.pids();
    const kept = await Promise.all(Array.from({ length: 20 }, () => connect({ port: workers.port })));
    const owners = new Map<number, typeof kept>();
    for (const client of kept) {
      await client.send(GET);
      const pid = Number((await client.response()).body.toString());
      owners.set(pid, [...(owners.get(pid) ?? []), client]);
    }
    process.kill(victim, "SIGKILL");
    const fresh = Array.from({ length: 50 }, () => workers.ask());
    for (let round = 0; round < 20; round++) {
      for (const client of owners.get(other) ?? []) {
        await client.send(GET);
        expect((await client.response()).body.toString()).toBe(String(other));
      }
    }
    expect((await Promise.all(fresh)).filter((pid) => pid === victim)).toEqual([]);
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 1, "a replacement", 10_000);
    expect((await workers.askMany(100)).size).toBe(2);
    expect(workers.torii.output()).toContain('"signal":"SIGKILL","msg":"worker ended unexpectedly"');
    for (const client of kept) client.close();
  });

  test("and cannot be replaced keeps nobody waiting, and is replaced when the configuration is mended", async () => {
    await using workers = await startReady();
    await workers.write("routes/main.ts", "export default {");
    await workers.torii.says(/configuration refused/);
    const [victim = 0, other = 0] = await workers.pids();
    process.kill(victim, "SIGKILL");
    await workers.torii.says(/"worker cannot start"/);
    expect([...(await workers.askMany(60)).keys()]).toEqual([other]);
    expect(await workers.isReady()).toBe(true);
    await workers.write("routes/main.ts", WHO);
    await eventually(async () => (await workers.askMany(20)).size === 2, "both to serve", 15_000);
  });
});

describe("torii worker", () => {
  test("is nothing for people", async () => {
    await using torii = startTorii(["worker"], tmpdir());
    expect(await torii.exited).toBe(2);
    expect(torii.output()).toContain("torii run");
  });
});

describe("a terminal's interrupt", () => {
  test("which reaches every process, is one drain", async () => {
    await using workers = await startReady();
    for (const pid of await workers.pids()) process.kill(pid, "SIGINT");
    workers.torii.signal("SIGINT");
    expect(await workers.torii.exited).toBe(0);
    expect(workers.torii.output()).not.toContain("worker ended unexpectedly");
  });
});

describe("a rolling restart", () => {
  test("20 times under load fails no request", async () => {
    await using workers = await startReady();
    const load = startPoliteLoad(workers.port, { kept: 6, fresh: 2 });
    for (let round = 1; round <= 20; round++) {
      const before = load.answered();
      workers.torii.signal("SIGUSR2");
      await eventually(
        async () => (await workers.metric("torii_worker_restarts_total")) === round * 2,
        `restart ${round}`,
        20_000,
      );
      await eventually(() => load.answered() > before + 20, "requests to go on");
    }
    await load.stop();
    expect(load.failures).toEqual([]);
  }, 120_000);

  test("fails no request of HTTP/2 clients, which are told to go", async () => {
    await using workers = await startReady();
    const load = startHttp2Load(workers.port, 4);
    for (let round = 1; round <= 3; round++) {
      workers.torii.signal("SIGUSR2");
      await eventually(
        async () => (await workers.metric("torii_worker_restarts_total")) === round * 2,
        `restart ${round}`,
        20_000,
      );
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.answered()).toBeGreaterThan(100);
  });

  test("replaces every process, one after the other", async () => {
    await using workers = await startReady();
    const before = await workers.pids();
    workers.torii.signal("SIGUSR2");
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 2, "two restarts", 15_000);
    await eventually(() => before.every((pid) => !isAlive(pid)), "the old ones to end", 10_000);
    const text = workers.torii.output();
    const drained = text.indexOf('"worker":1,"delayMs"');
    expect(text.slice(drained).search(/"worker":2,"pid":\d+,"msg":"worker is ready"/)).toBeGreaterThan(0);
  });

  test("with a faulty configuration does not begin", async () => {
    await using workers = await startReady();
    const before = await workers.pids();
    await workers.write("routes/main.ts", "export default { routes: 7 };");
    await workers.torii.says(/configuration refused/);
    workers.torii.signal("SIGUSR2");
    await workers.torii.says(/configuration refused[\s\S]*configuration refused/);
    expect(await workers.pids()).toEqual([...before]);
  });
});
