import { describe, expect, test } from "bun:test";
import { metric } from "../gateway/support.ts";
import type { RawClient } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { closedPort } from "../support/unreachable.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";
import { BulkPeer, bulkHandlers } from "../wire/l4/bulk.ts";

const listener = { name: "pipe", protocol: "tcp", address: "127.0.0.1", port: 0 };
const FILE = "routes/main.yaml";

interface PipeSetup {
  readonly service?: Readonly<Record<string, unknown>>;
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly torii?: Readonly<Record<string, unknown>>;
}

function pipeRoutes(port: number, service: PipeSetup["service"] = {}, name = "pipe") {
  return {
    services: { db: { discover: "static", endpoints: [{ url: `http://127.0.0.1:${port}` }], ...service } },
    routes: [{ name, listeners: ["pipe"], backends: [{ service: "db" }] }],
  };
}

/** A gateway that passes the bytes of one listener to one port. */
function startPipe(port: number, setup: PipeSetup = {}): Promise<TestGateway> {
  return startGateway({
    torii: {
      listeners: [{ ...listener, ...setup.listener }],
      ...setup.torii,
    },
    routes: pipeRoutes(port, setup.service),
  });
}

interface Pipe extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly upstream: Upstream;
  readonly client: RawClient;
  readonly endpoint: UpstreamConnection;
}

async function openPipe(setup: PipeSetup = {}): Promise<Pipe> {
  const upstream = startUpstream(async () => {});
  const gateway = await startPipe(upstream.port, setup);
  const client = await gateway.connect();
  return {
    gateway,
    upstream,
    client,
    endpoint: await upstream.connection(0),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await upstream.close();
    },
  };
}

describe("a tcp listener", () => {
  test("passes bytes both ways, and logs and counts the connection at its end", async () => {
    await using pipe = await openPipe();
    const { gateway, client, endpoint } = pipe;
    await client.send("\0question");
    expect((await endpoint.peer.take(9)).toString()).toBe("\0question");
    await endpoint.send("answer");
    expect((await client.peer.take(6)).toString()).toBe("answer");
    expect(await metric(gateway, "torii_passthrough_connections_open")).toBe(1);
    client.peer.endSending();
    await endpoint.peer.ending();
    endpoint.peer.endSending();
    const line = await gateway.logged((one) => one["protocol"] === "tcp");
    expect(line).toMatchObject({
      client: "127.0.0.1",
      host: "",
      route: "pipe",
      service: "db",
      bytesReceived: 9,
      bytesSent: 6,
      attempts: 1,
      flags: [],
    });
    expect(line["endpoint"]).toEqual(expect.any(String));
    expect(line["durationMs"]).toBeGreaterThan(0);
    expect(await metric(gateway, "torii_passthrough_connections_open")).toBe(0);
    expect(await metric(gateway, "torii_passthrough_connections_total", 'route="pipe",result="ok"')).toBe(1);
    expect(await metric(gateway, "torii_passthrough_bytes_total", 'route="pipe",direction="received"')).toBe(9);
    await eventually(async () => (await metric(gateway, "torii_connections_open")) === 0, "the connection to be gone");
  });

  test("lets an endpoint speak first", async () => {
    await using pipe = await openPipe();
    await pipe.endpoint.send("220 ready");
    expect((await pipe.client.peer.take(9)).toString()).toBe("220 ready");
  });

  test("passes the end of the client's bytes, and the answer that comes after it", async () => {
    await using pipe = await openPipe();
    await pipe.client.send("all");
    pipe.client.peer.endSending();
    expect(await pipe.endpoint.peer.ending()).toBe("ended");
    await pipe.endpoint.send("done");
    expect((await pipe.client.peer.take(4)).toString()).toBe("done");
    pipe.endpoint.peer.endSending();
    expect(await pipe.client.peer.ending()).not.toBe("reset");
  });

  test("passes the end of the endpoint's bytes, and what the client says after it", async () => {
    await using pipe = await openPipe();
    pipe.endpoint.peer.endSending();
    expect(await pipe.client.peer.ending()).toBe("ended");
    await pipe.client.send("more");
    expect((await pipe.endpoint.peer.take(4)).toString()).toBe("more");
  });

  test("passes a client's reset", async () => {
    await using pipe = await openPipe();
    pipe.client.peer.reset();
    expect(await pipe.endpoint.peer.closing()).toBe("reset");
    expect((await pipe.gateway.logged(() => true))["flags"]).toEqual(["client_closed"]);
  });

  test("passes an endpoint's reset", async () => {
    await using pipe = await openPipe();
    pipe.endpoint.peer.reset();
    expect(await pipe.client.peer.closing()).toBe("reset");
    expect((await pipe.gateway.logged(() => true))["flags"]).toEqual(["upstream_reset"]);
  });

  test("ends a connection that is silent for longer than the service's idle timeout", async () => {
    await using pipe = await openPipe({ service: { timeouts: { idle: "200ms" } } });
    expect(await pipe.client.peer.closing()).toBe("reset");
    expect(await pipe.endpoint.peer.closing()).toBe("reset");
    expect((await pipe.gateway.logged(() => true))["flags"]).toEqual(["upstream_timeout"]);
  });

  test("resets a client whose endpoint cannot be reached, and says so in the log", async () => {
    await using gateway = await startPipe(closedPort());
    const client = await gateway.connect();
    expect(await client.peer.closing()).toBe("reset");
    expect(await gateway.logged(() => true)).toMatchObject({
      route: "pipe",
      flags: ["upstream_connect"],
      upstreamMs: null,
    });
    const labels = 'route="pipe",result="upstream_connect"';
    expect(await metric(gateway, "torii_passthrough_connections_total", labels)).toBe(1);
  });

  test("carries 100 MiB each way past readers that were slow", async () => {
    const total = 100 * 1024 * 1024;
    const [down, up] = [new BulkPeer(total), new BulkPeer(total)];
    using server = Bun.listen<BulkPeer>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: bulkHandlersOf(up),
    });
    await using gateway = await startPipe(server.port);
    const address = { hostname: "127.0.0.1", port: gateway.port, allowHalfOpen: true };
    await Bun.connect<BulkPeer>({ ...address, socket: bulkHandlersOf(down) });
    // The kernel's buffers are full and the gateway holds both back.
    let before = 0;
    const standsStill = () => {
      const isSame = down.sender.sentBytes + up.sender.sentBytes === before && before > 0;
      before = down.sender.sentBytes + up.sender.sentBytes;
      return isSame;
    };
    await eventually(standsStill, "both senders to stand still");
    expect(before).toBeLessThan(total / 2);
    up.socket?.resume();
    await eventually(() => up.receiver.receivedBytes === total, "the client's bytes", 20_000);
    down.socket?.resume();
    await Promise.all([down.ended.promise, up.ended.promise]);
    expect([down.receiver.receivedBytes, down.receiver.isIntact]).toEqual([total, true]);
    expect(up.receiver.isIntact).toBe(true);
  });
});

/** Handlers of one peer, which reads nothing at first. */
function bulkHandlersOf(peer: BulkPeer) {
  return {
    ...bulkHandlers,
    open(socket: Bun.Socket<BulkPeer>) {
      socket.data = peer;
      peer.socket = socket;
      socket.pause();
      peer.sender.pump(socket);
    },
  };
}

describe("the PROXY protocol", () => {
  test("v1 tells the endpoint of the client", async () => {
    await using pipe = await openPipe({ service: { proxyProtocol: "v1" } });
    await pipe.client.send("hi");
    await pipe.endpoint.peer.until(() => pipe.endpoint.peer.text.endsWith("hi"), "the bytes");
    expect(pipe.endpoint.peer.text).toMatch(
      new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${pipe.gateway.port}\r\nhi$`),
    );
  });

  test("v2 tells the endpoint of the client", async () => {
    await using pipe = await openPipe({ service: { proxyProtocol: "v2" } });
    const head = await pipe.endpoint.peer.take(28);
    expect(head.toString("hex")).toStartWith("0d0a0d0a000d0a515549540a2111000c7f0000017f000001");
    expect(head.readUInt16BE(26)).toBe(pipe.gateway.port);
  });

  test("of a trusted proxy in front is passed on, and its client is the one in the log", async () => {
    const upstream = startUpstream(async () => {});
    await using gateway = await startPipe(upstream.port, {
      service: { proxyProtocol: "v1" },
      listener: { proxyProtocol: true },
      torii: { trustedProxies: ["127.0.0.0/8"] },
    });
    const line = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
    const client = await gateway.connect();
    await client.send(`${line}hi`);
    const { peer } = await upstream.connection(0);
    expect((await peer.take(line.length + 2)).toString()).toBe(`${line}hi`);
    client.peer.reset();
    expect((await gateway.logged(() => true))["client"]).toBe("192.0.2.7");
    await upstream.close();
  });
});

describe("a reload", () => {
  test("leaves open connections to themselves, and leads new ones to where the new routes say", async () => {
    await using pipe = await openPipe();
    await using other = startUpstream(async () => {});
    const { gateway, client, endpoint } = pipe;
    for (const name of ["second", "third"]) {
      await gateway.write(FILE, JSON.stringify(pipeRoutes(other.port, {}, name)));
      expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
      await client.send("still");
      expect((await endpoint.peer.take(5)).toString()).toBe("still");
    }
    await gateway.connect();
    await other.connection(0);
    expect(pipe.upstream.connections).toHaveLength(1);
    client.peer.reset();
    expect(await gateway.logged((one) => one["route"] === "pipe")).toMatchObject({ bytesReceived: 10 });
  });

  test("keeps a service until the last connection through it is over", async () => {
    await using pipe = await openPipe();
    await using other = startUpstream(async () => {});
    const { gateway, client } = pipe;
    await gateway.write(FILE, JSON.stringify(pipeRoutes(other.port)));
    await gateway.gateway.reload();
    const services = () => gateway.gateway.services.list().length;
    expect(services()).toBe(2);
    client.peer.reset();
    await eventually(() => services() === 1, "the old service to go");
  });

  test("that takes the listener away accepts no more, and breaks nothing off", async () => {
    await using pipe = await openPipe();
    const { gateway, client, endpoint } = pipe;
    const web = { name: "web", address: "127.0.0.1", port: 0 };
    const telemetry = { accessLog: { enabled: false } };
    const torii = { status: { address: "127.0.0.1", port: 0 }, listeners: [web], telemetry };
    await gateway.write(FILE, "routes: []\n");
    await gateway.write("torii.yaml", JSON.stringify(torii));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    await expect(gateway.connect()).rejects.toThrow();
    await client.send("still");
    expect((await endpoint.peer.take(5)).toString()).toBe("still");
  });
});

describe("a drain", () => {
  test("lets open connections go on, and breaks them off when its time is over", async () => {
    await using pipe = await openPipe({ torii: { shutdown: { delay: "0s", timeout: "500ms" } } });
    const { gateway, client, endpoint } = pipe;
    const drained = gateway.gateway.drain();
    await client.send("still");
    expect((await endpoint.peer.take(5)).toString()).toBe("still");
    expect(await client.peer.closing()).toBe("reset");
    expect(await endpoint.peer.closing()).toBe("reset");
    await drained;
  });

  test("ends as soon as the last connection is over", async () => {
    await using pipe = await openPipe({ torii: { shutdown: { delay: "0s", timeout: "1h" } } });
    const drained = pipe.gateway.gateway.drain();
    await pipe.client.send("bye");
    pipe.client.peer.endSending();
    await pipe.endpoint.peer.ending();
    pipe.endpoint.peer.endSending();
    await drained;
    expect(await pipe.client.peer.closing()).toBe("closed");
  });
});
