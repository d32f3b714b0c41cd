import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { connect, exchange, type RawClient } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { startTorii, type ToriiProcess } from "../support/process.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { catchAll } from "../support.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "torii-process-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

interface Ports {
  readonly port: number;
  readonly status: number;
}

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), typeof content === "string" ? content : JSON.stringify(content));
}

/** Writes a configuration whose routes lead to one address. */
async function configure(
  url: string,
  shutdown: Readonly<Record<string, string>> = { delay: "0s", timeout: "5s" },
): Promise<Ports> {
  const [port, status] = [closedPort(), closedPort()];
  await write("torii.yaml", {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: status },
    shutdown,
  });
  await write("routes/main.yaml", catchAll(url));
  return { port, status };
}

async function isReady(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/readyz`).then(
    (response) => response.ok,
    () => false,
  );
}

async function isRefused(to: Ports): Promise<boolean> {
  const client = await connect(to).catch(() => null);
  client?.peer.reset();
  return client === null;
}

async function startReady(ports: Ports): Promise<ToriiProcess> {
  const torii = startTorii(["run", "--config", "torii.yaml"], folder);
  await eventually(() => isReady(ports.status), "readiness", 10_000).catch((error) => {
    throw new Error(`${error}\n${torii.output()}`);
  });
  return torii;
}

describe("torii run", () => {
  test("is ready only when requests are served", async () => {
    await using upstream = startAnswering(() => ok("here"));
    const ports = await configure(upstream.url);
    await using _torii = await startReady(ports);
    expect((await exchange(ports, get())).body.toString()).toBe("here");
    for (const path of ["/livez", "/startupz", "/metrics"])
      expect((await fetch(`http://127.0.0.1:${ports.status}${path}`)).status).toBe(200);
  });

  test("with a faulty configuration says where and ends with 1", async () => {
    await configure("http://127.0.0.1:1");
    await write("routes/main.yaml", "routes:\n  - name: all\n    matchs: []\n");
    await using torii = startTorii(["run", "--config", "torii.yaml"], folder);
    expect(await torii.exited).toBe(1);
    expect(torii.output()).toContain("main.yaml:3");
    expect(torii.output()).toContain("matchs");
  });

  test("without the configuration that was named ends with 1", async () => {
    await using torii = startTorii(["run", "--config", "missing.yaml"], folder);
    expect(await torii.exited).toBe(1);
    expect(torii.output()).toContain("missing.yaml");
  });

  test("on a port that is taken says which and ends with 1", async () => {
    await using upstream = startAnswering(() => ok());
    await configure(upstream.url);
    await write("torii.yaml", {
      listeners: [{ name: "http", address: "127.0.0.1", port: upstream.port }],
      status: { port: closedPort() },
    });
    await using torii = startTorii(["run", "--config", "torii.yaml"], folder);
    expect(await torii.exited).toBe(1);
    expect(torii.output()).toContain(String(upstream.port));
  });

  test.each([[["fly"]], [["run", "--nonsense"]], [["explain"]], [["run", "--config"]]])(
    "%j is a misuse and ends with 2",
    async (args) => {
      await using torii = startTorii(args, folder);
      expect(await torii.exited).toBe(2);
      expect(torii.output()).not.toBe("");
    },
  );

  test("reads its configuration again on SIGHUP, and tells of a fault without falling over it", async () => {
    await using upstream = startAnswering(() => ok("still"));
    const ports = await configure(upstream.url);
    await using torii = await startReady(ports);
    await write("routes/main.yaml", "routes:\n  - name: all\n    matchs: []\n");
    torii.signal("SIGHUP");
    await torii.says(/main\.yaml.*matchs|matchs.*main\.yaml/);
    expect((await exchange(ports, get())).body.toString()).toBe("still");
  });
});

/** A gateway with one request under way, whose answer `release` lets go. */
async function startBusy(shutdown?: Readonly<Record<string, string>>) {
  const gate = Promise.withResolvers<void>();
  const upstream = startUpstream(async (connection) => {
    for (;;) {
      await connection.request();
      await gate.promise;
      await connection.send(ok("finished"));
    }
  });
  const ports = await configure(upstream.url, shutdown);
  const torii = await startReady(ports);
  const client: RawClient = await connect(ports);
  await client.send(get());
  await upstream.taken(1);
  const dispose = async () => {
    client.peer.reset();
    await torii[Symbol.asyncDispose]();
    await upstream.close();
  };
  return { torii, ports, client, release: gate.resolve, [Symbol.asyncDispose]: dispose };
}

describe("SIGTERM", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("lets what is under way end, then ends with 0 (%s)", async (name) => {
    await using busy = await startBusy();
    busy.torii.signal(name);
    await eventually(async () => !(await isReady(busy.ports.status)), "readiness to fail");
    await eventually(() => isRefused(busy.ports), "accepting to stop");
    busy.release();
    const response = await busy.client.response();
    expect([response.body.toString(), header(response, "connection")]).toEqual(["finished", "close"]);
    busy.client.close();
    expect(await busy.torii.exited).toBe(0);
  });

  test("fails readiness first and goes on serving for shutdown.delay", async () => {
    await using busy = await startBusy({ delay: "700ms", timeout: "5s" });
    busy.torii.signal("SIGTERM");
    await eventually(
      async () => (await fetch(`http://127.0.0.1:${busy.ports.status}/readyz`)).status === 503,
      "readiness to fail",
    );
    busy.release();
    const late = await exchange(busy.ports, request("GET /late", "Connection: close"));
    expect(late.status).toBe(200);
    await busy.client.response();
    busy.client.close();
    expect(await busy.torii.exited).toBe(0);
  });

  test("does not wait longer than shutdown.timeout", async () => {
    await using busy = await startBusy({ delay: "0s", timeout: "300ms" });
    busy.torii.signal("SIGTERM");
    expect(await busy.torii.exited).toBe(0);
    expect(await busy.client.peer.ending()).not.toBe("open");
  });

  test("a second one ends it at once", async () => {
    await using busy = await startBusy({ delay: "60s", timeout: "60s" });
    busy.torii.signal("SIGTERM");
    await eventually(async () => !(await isReady(busy.ports.status)), "the drain to begin");
    // Two that come together may be one that was passed on twice, so go on until it heeds.
    const again = setInterval(() => busy.torii.signal("SIGTERM"), 100);
    await busy.torii.exited.finally(() => clearInterval(again));
    expect(await busy.client.peer.ending()).not.toBe("open");
  }, 10_000);

  test("closes idle connections and ends at once when nothing is under way", async () => {
    await using upstream = startAnswering(() => ok());
    const ports = await configure(upstream.url, { delay: "0s", timeout: "60s" });
    await using torii = await startReady(ports);
    using client = await connect(ports);
    await client.send(get());
    await client.response();
    torii.signal("SIGTERM");
    expect(await client.peer.ending()).not.toBe("reset");
    client.close();
    expect(await torii.exited).toBe(0);
  }, 10_000);
});
