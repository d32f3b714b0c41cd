import { describe, expect, test } from "bun:test";
import { connect, exchange } from "../support/client.ts";
import { get } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { catchAll, startGateway, type TestGateway } from "../support.ts";
import { freePort, metric, type ToriiFile, toriiFile } from "./support.ts";

const TORII = "torii.yaml";

function open(url: string, torii: ToriiFile): Promise<TestGateway> {
  return startGateway({ torii: toriiFile(torii), routes: catchAll(url) });
}

async function isRefused(port: number): Promise<boolean> {
  const client = await connect({ port }).catch(() => null);
  client?.peer.reset();
  return client === null;
}

/** The status of a GET at this port. */
async function statusAt(port: number): Promise<number> {
  return (await exchange({ port }, get())).status;
}

async function change(gateway: TestGateway, torii: ToriiFile) {
  await gateway.write(TORII, toriiFile(torii));
  return await gateway.gateway.reload();
}

/** Holds a port for as long as the test needs it taken. */
function take(): Disposable & { readonly port: number } {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return { port: server.port, [Symbol.dispose]: () => server.stop(true) };
}

describe("a reload that asks for a port that is taken", () => {
  test("changes nothing, and is reported at the listener's line", async () => {
    await using upstream = startAnswering(() => ok());
    using taken = take();
    const [old, another] = [freePort(), freePort()];
    await using gateway = await open(upstream.url, { listeners: [["http", old]] });
    const listeners = [
      ["http", old],
      ["new", another],
      ["blocked", taken.port],
    ] as const;
    const result = await change(gateway, { listeners });
    if (result.isLive) throw new Error("the reload passed");
    const line =
      toriiFile({ listeners })
        .split("\n")
        .findIndex((text) => text.includes("blocked")) + 1;
    expect(result.error.issues).toEqual([
      expect.objectContaining({
        file: TORII,
        line,
        field: "listeners[2]",
        message: expect.stringContaining(`127.0.0.1:${taken.port}`),
      }),
    ]);
    expect([...gateway.gateway.addresses.keys()]).toEqual(["http"]);
    expect([await statusAt(old), await isRefused(another)]).toEqual([200, true]);
    expect(gateway.gateway.snapshot()?.version).toBe("1");
    expect(gateway.log).toContainEqual(expect.objectContaining({ level: 50, file: TORII, line }));
  });

  test("lets go of the services that only it named", async () => {
    await using upstream = startAnswering(() => ok());
    using taken = take();
    const old = freePort();
    await using gateway = await open(upstream.url, { listeners: [["http", old]] });
    const before = gateway.gateway.services.list();
    await gateway.write("routes/main.yaml", JSON.stringify(catchAll("http://127.0.0.1:1")));
    expect(await change(gateway, { listeners: [["blocked", taken.port]] })).toMatchObject({ isLive: false });
    expect(gateway.gateway.services.list()).toEqual(before);
    expect(await statusAt(old)).toBe(200);
  });

  test("passes once the port is free", async () => {
    await using upstream = startAnswering(() => ok());
    const taken = take();
    const old = freePort();
    await using gateway = await open(upstream.url, { listeners: [["http", old]] });
    const wanted: ToriiFile = {
      listeners: [
        ["http", old],
        ["new", taken.port],
      ],
    };
    expect(await change(gateway, wanted)).toMatchObject({ isLive: false });
    taken[Symbol.dispose]();
    expect(await change(gateway, wanted)).toMatchObject({ isLive: true });
    expect(await statusAt(taken.port)).toBe(200);
  });
});

describe("a reload", () => {
  test("opens listeners that are new, and closes those that are gone", async () => {
    await using upstream = startAnswering(() => ok());
    const [a, b, c] = [freePort(), freePort(), freePort()];
    await using gateway = await open(upstream.url, {
      listeners: [
        ["a", a],
        ["b", b],
      ],
    });
    expect(
      await change(gateway, {
        listeners: [
          ["b", b],
          ["c", c],
        ],
      }),
    ).toMatchObject({ isLive: true });
    expect([...gateway.gateway.addresses]).toEqual([
      ["b", { address: "127.0.0.1", port: b }],
      ["c", { address: "127.0.0.1", port: c }],
    ]);
    expect([await isRefused(a), await statusAt(b), await statusAt(c)]).toEqual([true, 200, 200]);
    expect(gateway.log.map(({ msg }) => msg).filter((msg) => String(msg).includes(" listens "))).toEqual([
      `a listens no more on 127.0.0.1:${a}`,
      `c listens on http://127.0.0.1:${c}`,
    ]);
  });

  test("keeps a listener that stays, with its idle connections", async () => {
    await using upstream = startAnswering(() => ok());
    const port = freePort();
    await using gateway = await open(upstream.url, { listeners: [["http", port]] });
    using client = await connect({ port });
    await client.send(get());
    await client.response();
    expect(
      await change(gateway, {
        listeners: [
          ["http", port],
          ["more", freePort()],
        ],
      }),
    ).toMatchObject({ isLive: true });
    await client.send(get());
    expect((await client.response()).status).toBe(200);
  });

  test("keeps a port that the system chose", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await open(upstream.url, { listeners: [["http", 0]] });
    expect(await change(gateway, { listeners: [["http", 0]], more: ["limits: { connections: 50 }"] })).toMatchObject({
      isLive: true,
    });
    expect(gateway.gateway.addresses.get("http")?.port).toBe(gateway.port);
    expect(await statusAt(gateway.port)).toBe(200);
  });

  test("serves what is under way at a listener that is gone to its end, and then closes", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbef");
      await release.promise;
      await connection.send("ore");
    });
    const [old, next] = [freePort(), freePort()];
    await using gateway = await open(upstream.url, { listeners: [["old", old]] });
    using busy = await connect({ port: old });
    using idle = await connect({ port: old });
    await busy.send(get());
    await busy.head();
    expect(await change(gateway, { listeners: [["next", next]] })).toMatchObject({ isLive: true });
    expect(await idle.peer.ending()).toBe("ended");
    expect([await isRefused(old), busy.peer.state]).toEqual([true, "open"]);
    release.resolve();
    expect((await busy.response()).body.toString()).toBe("before");
    expect(await busy.peer.ending()).toBe("ended");
  });

  test("puts other limits in force for connections that are open", async () => {
    await using upstream = startAnswering(() => ok());
    const listeners = [["http", freePort()]] as const;
    await using gateway = await open(upstream.url, { listeners });
    using client = await gateway.connect();
    const long = get(`X-Long: ${"x".repeat(2000)}`);
    await client.send(long);
    expect((await client.response()).status).toBe(200);
    await change(gateway, { listeners, more: ["limits: { headerBytes: 1KiB }"] });
    await client.send(long);
    expect((await client.response()).status).toBe(431);
  });

  test("is done one at a time: of two at once both pass, and the versions follow each other", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await open(upstream.url, { listeners: [["http", 0]] });
    const results = await Promise.all([1, 2, 3, 4].map(() => gateway.gateway.reload()));
    expect(results).toMatchObject(["2", "3", "4", "5"].map((version) => ({ isLive: true, version })));
    expect(gateway.gateway.snapshot()?.version).toBe("5");
    expect(gateway.gateway.services.list()).toHaveLength(1);
    expect(await statusAt(gateway.port)).toBe(200);
  });

  test("that fails does not hold up the next", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await open(upstream.url, { listeners: [["http", 0]] });
    await gateway.write("routes/main.yaml", "routes: 7\n");
    const failing = gateway.gateway.reload();
    const again = gateway.gateway.reload();
    expect([await failing, await again]).toMatchObject([{ isLive: false }, { isLive: false }]);
    await gateway.write("routes/main.yaml", JSON.stringify(catchAll(upstream.url)));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
  });
});

describe("a listener with hostnames", () => {
  const torii = (hostnames: string) => ({
    listeners: [
      { name: "bound", address: "127.0.0.1", port: 0, hostnames: [hostnames, "*.wild.test"] },
      { name: "free", address: "127.0.0.1", port: 0 },
    ],
    status: { address: "127.0.0.1", port: 0 },
    telemetry: { accessLog: { enabled: false } },
  });
  const asked = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const portOf = (gateway: TestGateway, name: string) => gateway.gateway.addresses.get(name)?.port ?? 0;

  test("serves only them; others find no route there, and all find theirs at a listener without", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startGateway({ torii: torii("shop.test"), routes: catchAll(upstream.url) });
    const found: Record<string, readonly number[]> = {};
    for (const host of ["shop.test", "SHOP.test.:80", "a.wild.test", "a.b.wild.test", "wild.test", "other.test"]) {
      const statuses = ["bound", "free"].map(
        async (name) => (await exchange({ port: portOf(gateway, name) }, asked(host))).status,
      );
      found[host] = await Promise.all(statuses);
    }
    expect(found).toEqual({
      "shop.test": [200, 200],
      "SHOP.test.:80": [200, 200],
      "a.wild.test": [200, 200],
      "a.b.wild.test": [200, 200],
      "wild.test": [404, 200],
      "other.test": [404, 200],
    });
  });

  test("serves others after a reload, on the connections that are open", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startGateway({ torii: torii("shop.test"), routes: catchAll(upstream.url) });
    using client = await connect({ port: portOf(gateway, "bound") });
    await client.send(asked("shop.test"));
    expect((await client.response()).status).toBe(200);
    await gateway.write(TORII, JSON.stringify(torii("store.test")));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    await client.send(asked("shop.test") + asked("store.test"));
    expect([(await client.response()).status, (await client.response()).status]).toEqual([404, 200]);
  });
});

describe("the limit on connections", () => {
  test("counts all listeners together, refuses with 503, and counts the refusals", async () => {
    await using upstream = startAnswering(() => ok());
    const [a, b] = [freePort(), freePort()];
    await using gateway = await open(upstream.url, {
      listeners: [
        ["a", a],
        ["b", b],
      ],
      more: ["limits: { connections: 2 }"],
    });
    using first = await connect({ port: a });
    using second = await connect({ port: b });
    for (const client of [first, second]) {
      await client.send(get());
      expect((await client.response()).status).toBe(200);
    }
    using third = await connect({ port: a });
    await third.send(get());
    const refusal = await third.response();
    expect([refusal.status, header(refusal, "retry-after")]).toEqual([503, "1"]);
    await third.peer.ending();
    third.close();
    expect(await metric(gateway, "torii_connections_refused_total", 'reason="limit"')).toBe(1);
    first.peer.reset();
    await eventually(async () => (await metric(gateway, "torii_connections_open")) === 1, "the connections to close");
    expect(await statusAt(a)).toBe(200);
  });

  test("for one client is told apart", async () => {
    await using upstream = startAnswering(() => ok());
    const limits = ["limits: { connectionsPerClient: 1 }"];
    await using gateway = await open(upstream.url, { listeners: [["http", 0]], more: limits });
    using first = await gateway.connect();
    await first.send(get());
    await first.response();
    expect(await statusAt(gateway.port)).toBe(503);
    expect(await metric(gateway, "torii_connections_refused_total", 'reason="client_limit"')).toBe(1);
    expect(await metric(gateway, "torii_connections_refused_total", 'reason="limit"')).toBe(0);
  });
});
