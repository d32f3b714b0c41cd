import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { GET, isAlive, startPoliteLoad, startReady, startWorkers, WHO } from "../supervisor/support.ts";
import { connect, exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { closedPort } from "../support/unreachable.ts";

const answering = (text: string) => WHO.replace("String(process.pid)", JSON.stringify(text));

/** Middleware whose making fails: a fault that shows only when a worker puts the configuration in force. */
const UNMAKEABLE = {
  "my-plugins/broken.ts": `import { definePlugin, z } from "torii";
export default definePlugin({ name: "broken", options: z.strictObject({}), create: () => { throw new Error("no luck"); } });
`,
  "routes/broken.yaml":
    "routes:\n  - name: broken\n    matches: [{ path: /broken }]\n    plugins: [{ use: broken, with: {} }]\n",
};

// Every test starts processes, and some of them several one after the other.
setDefaultTimeout(60_000);

/** A plugin that can be made but for the second time, whatever process makes it. */
const REFUSED_ONCE = `import { appendFileSync, readFileSync } from "node:fs";
import { definePlugin, z } from "torii";
export default definePlugin({ name: "second", options: z.strictObject({}), create: () => {
  appendFileSync("made", "x");
  if (readFileSync("made", "utf8") === "xx") throw new Error("not twice");
  return (c) => c.body(null, 204);
} });
`;

/** The next process that reads the routes takes its time, when it has read the others. */
const SLOW_ONCE = `import { existsSync, renameSync } from "node:fs";
if (existsSync("hold")) {
  renameSync("hold", "held");
  while (!existsSync("release")) await Bun.sleep(10);
}
export default { routes: [] };
`;

const SECOND_ROUTE =
  "routes:\n  - name: second\n    matches: [{ path: /second }]\n    plugins: [{ use: second, with: {} }]\n";

describe("a reload", () => {
  test("reaches every worker, without a new process", async () => {
    await using workers = await startReady();
    const before = await workers.pids();
    await workers.write("routes/main.ts", answering("new"));
    await workers.torii.says(/"workers":2,"msg":"configuration is live"/);
    for (let at = 0; at < 40; at++) expect((await exchange({ port: workers.port }, GET)).body.toString()).toBe("new");
    expect(await workers.pids()).toEqual([...before]);
    expect(await workers.metric("torii_config_reloads_total")).toBe(2);
  });

  test("with a fault changes nothing in any worker", async () => {
    await using workers = await startReady();
    await workers.write("routes/more.yaml", "routes:\n  - name: more\n    matchs: []\n");
    await workers.torii.says(/more\.yaml.*configuration refused/);
    expect((await workers.askMany(60)).size).toBe(2);
    expect(await workers.metric("torii_config_last_reload_successful")).toBe(0);
  });

  test("that only a worker can find faulty changes nothing in any worker", async () => {
    await using workers = await startReady({
      torii: { plugins: "my-plugins" },
      files: { "my-plugins/broken.ts": UNMAKEABLE["my-plugins/broken.ts"] },
    });
    const before = await workers.pids();
    await workers.write("routes/broken.yaml", UNMAKEABLE["routes/broken.yaml"]);
    await workers.torii.says(/no luck.*configuration refused/);
    expect((await workers.askMany(60)).size).toBe(2);
    expect(await workers.pids()).toEqual([...before]);
  });

  test("reaches a worker that was being started, too", async () => {
    await using workers = await startReady({ files: { "routes/slow.ts": SLOW_ONCE } });
    const [victim = 0] = await workers.pids();
    await workers.write("hold", "");
    process.kill(victim, "SIGKILL");
    await eventually(() => Bun.file(`${workers.folder}/held`).exists(), "a worker that starts", 10_000);
    await workers.write("routes/main.ts", answering("new"));
    const ask = async () => (await exchange({ port: workers.port }, GET)).body.toString();
    await eventually(async () => (await ask()) === "new", "the other one to take it");
    await workers.write("release", "");
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 1, "the start", 10_000);
    await workers.torii.says(/"workers":2,"msg":"configuration is live"/, 15_000);
    for (let at = 0; at < 40; at++) expect(await ask()).toBe("new");
  });

  test("that one worker refuses after another took it replaces the one that refused", async () => {
    await using workers = await startReady({
      torii: { plugins: "my-plugins" },
      files: { "my-plugins/second.ts": REFUSED_ONCE },
    });
    const before = await workers.pids();
    await workers.write("routes/second.yaml", SECOND_ROUTE);
    await workers.torii.says(/"workers":2,"msg":"configuration is live"/, 15_000);
    expect(await workers.metric("torii_worker_restarts_total")).toBe(1);
    expect((await workers.pids()).filter((pid) => before.includes(pid))).toHaveLength(1);
    for (let at = 0; at < 30; at++) {
      const response = await exchange({ port: workers.port }, GET.replace("GET /", "GET /second"));
      expect(response.status).toBe(204);
    }
  });

  test("opens a port that is new and closes one that is gone, and fails no request on one that stays", async () => {
    await using workers = await startReady();
    const load = startPoliteLoad(workers.port, { kept: 4, fresh: 1 });
    const added = closedPort();
    const listener = (name: string, port: number) => ({ name, address: "127.0.0.1", port });
    await workers.configure({ listeners: [listener("http", workers.port), listener("more", added)] });
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 2, "a roll", 15_000);
    await workers.torii.says(new RegExp(`"more listens on http://127.0.0.1:${added}"`));
    const both = new Set<string>();
    for (let at = 0; at < 60; at++) both.add((await exchange({ port: added }, GET)).body.toString());
    expect(both.size).toBe(2);
    await workers.configure({});
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 4, "a roll", 15_000);
    await eventually(() => isRefused(added), "the port to close", 10_000);
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  test("for a port that is taken changes nothing", async () => {
    using taken = takeShared();
    await using workers = await startReady();
    const before = await workers.pids();
    const listeners = [
      { name: "http", address: "127.0.0.1", port: workers.port },
      { name: "more", address: "127.0.0.1", port: taken.port },
    ];
    await workers.configure({ listeners });
    await workers.torii.says(new RegExp(`${taken.port} is taken.*configuration refused`));
    expect([await workers.pids(), (await workers.askMany(60)).size]).toEqual([[...before], 2]);
  });

  test("changes the number of workers, and fails no request", async () => {
    await using workers = await startReady();
    const load = startPoliteLoad(workers.port, { kept: 4, fresh: 2 });
    await workers.configure({ workers: 3 });
    await workers.torii.says(/"workers":3,"msg":"configuration is live"/, 15_000);
    await eventually(async () => (await workers.askMany(30)).size === 3, "three to serve");
    await workers.configure({ workers: 1 });
    await workers.torii.says(/"workers":1,"msg":"configuration is live"/, 15_000);
    expect([(await workers.askMany(30)).size, (await workers.pids()).length]).toEqual([1, 1]);
    await load.stop();
    expect(load.failures).toEqual([]);
  });
});

/** A port that another process of the same user would let us share. */
function takeShared(): Disposable & { readonly port: number } {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: true, fetch: () => new Response() });
  return { port: server.port ?? 0, [Symbol.dispose]: () => void server.stop(true) };
}

async function isRefused(port: number): Promise<boolean> {
  const client = await connect({ port }).catch(() => null);
  client?.peer.reset();
  return client === null;
}

describe("a start", () => {
  test("with a fault that only a worker can find tells it and ends with 1", async () => {
    await using workers = await startWorkers({ torii: { plugins: "my-plugins" }, files: UNMAKEABLE });
    expect(await workers.torii.exited).toBe(1);
    expect(workers.torii.output()).toMatch(/broken\.yaml.*no luck/);
  });

  test("on a port that another gateway shares is refused, and ends with 1", async () => {
    using taken = takeShared();
    await using workers = await startWorkers({
      torii: { listeners: [{ name: "http", address: "127.0.0.1", port: taken.port }] },
    });
    expect(await workers.torii.exited).toBe(1);
    expect(workers.torii.output()).toContain(`${taken.port} is taken`);
  });
});

/** A request that is under way in a worker until the file `release` is there. */
const SLOW = WHO.replace(
  "(c) => c.text(String(process.pid))",
  'async (c) => { while (!(await Bun.file("release").exists())) await Bun.sleep(10); return c.text("done"); }',
);

describe("the end", () => {
  test("by SIGTERM lets what is under way end, then is 0, and leaves no process", async () => {
    await using workers = await startReady({ files: { "routes/main.ts": SLOW } });
    const pids = await workers.pids();
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect({ port: workers.port })));
    for (const client of clients) await client.send(GET);
    await eventually(async () => (await workers.metric("torii_exchanges_in_flight")) === 8, "requests under way");
    workers.torii.signal("SIGTERM");
    await eventually(async () => !(await workers.isReady()), "readiness to fail");
    await eventually(() => isRefused(workers.port), "accepting to stop", 10_000);
    await workers.write("release", "");
    for (const client of clients) {
      const response = await client.response();
      expect([response.body.toString(), header(response, "connection")]).toEqual(["done", "close"]);
      client.close();
    }
    expect(await workers.torii.exited).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("by a second signal is at once, and leaves no process", async () => {
    await using workers = await startReady({
      files: { "routes/main.ts": SLOW },
      torii: { shutdown: { delay: "60s", timeout: "60s" } },
    });
    const pids = await workers.pids();
    workers.torii.signal("SIGTERM");
    await workers.torii.says(/another signal ends at once/);
    workers.torii.signal("SIGTERM");
    expect(await workers.torii.exited).toBe(1);
    await eventually(() => !pids.some(isAlive), "the workers to end");
  });

  test("of the supervisor alone is noticed by the workers, which finish what is under way", async () => {
    await using workers = await startReady({ files: { "routes/main.ts": SLOW } });
    const pids = await workers.pids();
    using client = await connect({ port: workers.port });
    await client.send(GET);
    await eventually(async () => (await workers.metric("torii_exchanges_in_flight")) === 1, "a request under way");
    workers.torii.signal("SIGKILL");
    await eventually(() => isRefused(workers.port), "accepting to stop", 10_000);
    await workers.write("release", "");
    expect((await client.response()).body.toString()).toBe("done");
    client.close();
    await eventually(() => !pids.some(isAlive), "the workers to end", 10_000);
  });
});
