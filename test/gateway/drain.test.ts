import { describe, expect, test } from "bun:test";
import { connect } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { openEvents, startEvents } from "../support/streams.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

/** The shutdown of `torii.yaml`. */
function shutdown(delay: string, timeout: string) {
  return {
    torii: {
      shutdown: { delay, timeout },
      telemetry: { accessLog: { enabled: false } },
      listeners: LISTENERS,
      status: STATUS,
    },
  };
}

const LISTENERS = [{ name: "http", address: "127.0.0.1", port: 0 }];
const STATUS = { address: "127.0.0.1", port: 0 };

async function canConnect(port: number): Promise<boolean> {
  const client = await connect({ port }).catch(() => null);
  client?.peer.reset();
  return client !== null;
}

describe("a drain", () => {
  test("is over at once when nothing is under way, and nobody listens any more", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, shutdown("0s", "60s"));
    using idle = await gateway.connect();
    await idle.send(get());
    await idle.response();
    const { statusPort } = gateway.gateway;
    await gateway.gateway.drain();
    expect(await idle.peer.ending()).toBe("ended");
    expect([await canConnect(gateway.port), await canConnect(statusPort)]).toEqual([false, false]);
    expect(await (await upstream.connection(0)).peer.closing()).not.toBe("open");
  });

  test("lets a response that is under way come to its end", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok("late"));
    });
    await using gateway = await startProxy(upstream.url, shutdown("0s", "60s"));
    using client = await gateway.connect();
    await client.send(get());
    await upstream.taken(1);
    let isOver = false;
    const drained = gateway.gateway.drain().then(() => {
      isOver = true;
    });
    await eventually(async () => !(await canConnect(gateway.port)), "the listener to close");
    expect(isOver).toBe(false);
    release.resolve();
    const response = await client.response();
    expect([response.body.toString(), header(response, "connection")]).toEqual(["late", "close"]);
    expect(await client.peer.ending()).toBe("ended");
    client.close();
    await drained;
  });

  test("breaks an endless stream off when shutdown.timeout is over, and not before", async () => {
    await using events = startEvents(5);
    await using gateway = await startProxy(events.url, shutdown("0s", "300ms"));
    using stream = await openEvents(gateway, request("GET /events"));
    const beganAt = performance.now();
    const drained = gateway.gateway.drain();
    const before = stream.newest();
    await stream.client.peer.until(() => stream.newest() > before, "a further event");
    await drained;
    // A timer of 300 ms that fired early would break a promise; how late it is says nothing.
    expect(performance.now() - beganAt).toBeGreaterThanOrEqual(299);
    await stream.client.peer.ending();
    // A stream that was cut must not look whole.
    expect(stream.client.peer.text.endsWith("0\r\n\r\n")).toBe(false);
  });

  test("resets a response that runs to the close of its connection, so that it does not pass for whole", async () => {
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\n\r\nbeginning");
      await connection.peer.ending();
    });
    await using gateway = await startProxy(upstream.url, shutdown("0s", "100ms"));
    using client = await gateway.connect();
    await client.send("GET / HTTP/1.0\r\n\r\n");
    await client.peer.until(() => client.peer.text.endsWith("beginning"), "the beginning");
    await gateway.gateway.drain();
    expect(await client.peer.ending()).toBe("reset");
  });

  test("waits for a reload that is under way, and lets none begin after it", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, shutdown("0s", "1s"));
    const reload = gateway.gateway.reload();
    // It begins with the next turn of the queue.
    await Promise.resolve();
    const drained = gateway.gateway.drain();
    expect((await reload).isLive).toBe(true);
    await drained;
    expect((await gateway.gateway.reload()).isLive).toBe(false);
    expect([await canConnect(gateway.port), gateway.gateway.services.list()]).toEqual([false, []]);
  });

  test("first fails readiness and tells clients to go, while it still serves", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, shutdown("400ms", "1s"));
    const ready = async () => (await fetch(`http://127.0.0.1:${gateway.gateway.statusPort}/readyz`)).status;
    expect(await ready()).toBe(200);
    using kept = await gateway.connect();
    await kept.send(get());
    expect(header(await kept.response(), "connection")).toBeNull();
    const drained = gateway.gateway.drain();
    expect(await ready()).toBe(503);
    await kept.send(get());
    const told = await kept.response();
    expect([told.status, header(told, "connection")]).toEqual([200, "close"]);
    kept.close();
    expect((await gateway.exchange(get())).status).toBe(200);
    await drained;
    expect(await canConnect(gateway.port)).toBe(false);
  });

  test("waits for requests at listeners that a reload has closed", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok("old"));
    });
    const setup = shutdown("0s", "60s");
    await using gateway = await startProxy(upstream.url, setup);
    using client = await gateway.connect();
    await client.send(get());
    await upstream.taken(1);
    const listeners = [{ name: "other", address: "127.0.0.1", port: 0 }];
    await gateway.write("torii.yaml", JSON.stringify({ ...setup.torii, listeners }));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    const drained = gateway.gateway.drain();
    release.resolve();
    expect((await client.response()).body.toString()).toBe("old");
    client.close();
    await drained;
  });
});

test("closing breaks everything off at once", async () => {
  await using events = startEvents(5);
  await using gateway = await startProxy(events.url, shutdown("60s", "60s"));
  using stream = await openEvents(gateway, request("GET /events"));
  await gateway.gateway.close();
  await stream.client.peer.ending();
  expect(stream.client.peer.text.endsWith("0\r\n\r\n")).toBe(false);
  expect(await canConnect(gateway.port)).toBe(false);
});
