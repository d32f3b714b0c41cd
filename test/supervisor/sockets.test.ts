import { describe, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import type { ListenerConfig } from "../../src/config/types.ts";
import { openShared, refuseTaken } from "../../src/supervisor/listening-socket.ts";
import { socketAddress } from "../../src/supervisor/socket-address.ts";
import { createSocketGroup, type SocketGroup } from "../../src/supervisor/socket-group.ts";
import { createSockets } from "../../src/supervisor/sockets.ts";
import { duplicate } from "../../src/wire/libc.ts";
import { closedPort } from "../support/unreachable.ts";

/** Accepts on a slot's socket and counts; the group keeps its own descriptor. */
function serve(group: SocketGroup, slot: number) {
  const fd = group.fdOf(slot);
  if (fd === null) throw new Error(`no socket for slot ${slot}`);
  const served = { count: 0 };
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    ...{ fd: duplicate(fd) },
    socket: {
      open(socket) {
        served.count++;
        socket.end();
      },
      data() {},
    },
  });
  return { served, stop: () => server.stop() };
}

async function connectOnce(port: number, hostname = "127.0.0.1"): Promise<void> {
  const gone = Promise.withResolvers<void>();
  await Bun.connect({
    hostname,
    port,
    socket: { data() {}, end: (socket) => void socket.end(), close: () => gone.resolve() },
  });
  await gone.promise;
}

async function connectOften(port: number, times: number): Promise<void> {
  for (let at = 0; at < times; at++) await connectOnce(port);
}

/** A group with these slots, each of them served. */
function servedGroup(slots: readonly number[]) {
  const group = createSocketGroup("127.0.0.1", 0);
  for (const slot of slots) group.open(slot);
  const servers = slots.map((slot) => serve(group, slot));
  return {
    group,
    counts: () => servers.map(({ served }) => served.count),
    close() {
      for (const server of servers) server.stop();
      group.closeAll();
    },
  };
}

describe("the sockets of one port", () => {
  test("share its connections", async () => {
    const { group, counts, close } = servedGroup([1, 2, 3]);
    await connectOften(group.port, 150);
    expect(counts().reduce((sum, count) => sum + count)).toBe(150);
    for (const count of counts()) expect(count).toBeGreaterThan(15);
    close();
  });

  test("get none where they are steered away from, and share them again afterwards", async () => {
    const { group, counts, close } = servedGroup([1, 2, 3]);
    expect(group.steer((slot) => slot !== 2)).toBe(true);
    await connectOften(group.port, 60);
    const [first = 0, second, third = 0] = counts();
    expect([second, first + third]).toEqual([0, 60]);
    expect(Math.min(first, third)).toBeGreaterThan(5);
    group.steer(() => true);
    await connectOften(group.port, 60);
    expect(counts()[1]).toBeGreaterThan(3);
    close();
  });

  test("are steered by their place after one has closed", async () => {
    const group = createSocketGroup("127.0.0.1", 0);
    for (const slot of [1, 2, 3]) group.open(slot);
    group.close(1);
    const [two, three] = [serve(group, 2), serve(group, 3)];
    group.steer((slot) => slot === 3);
    await connectOften(group.port, 30);
    expect([two.served.count, three.served.count]).toEqual([0, 30]);
    two.stop();
    three.stop();
    group.closeAll();
  });

  test("keep what came while nobody accepted", async () => {
    const group = createSocketGroup("127.0.0.1", 0);
    group.open(1);
    const waiting = Array.from({ length: 5 }, () => connectOnce(group.port));
    const { served, stop } = serve(group, 1);
    await Promise.all(waiting);
    expect(served.count).toBe(5);
    stop();
    group.closeAll();
  });

  test("on :: take clients of IPv4 and IPv6", async () => {
    const group = createSocketGroup("::", 0);
    group.open(1);
    const { served, stop } = serve(group, 1);
    await connectOnce(group.port, "127.0.0.1");
    await connectOnce(group.port, "::1");
    expect(served.count).toBe(2);
    stop();
    group.closeAll();
  });
});

describe("a port that is listened on", () => {
  test("is refused, even where it could be shared", () => {
    const { fd, port } = openShared("127.0.0.1", 0);
    expect(() => refuseTaken("127.0.0.1", port)).toThrow("EADDRINUSE");
    closeSync(fd);
    expect(() => refuseTaken("127.0.0.1", port)).not.toThrow();
  });

  test("of an address that is not this machine's is refused", () => {
    expect(() => openShared("192.0.2.1", 0)).toThrow("EADDRNOTAVAIL");
  });
});

function listener(name: string, port: number): ListenerConfig {
  return {
    name,
    port,
    address: "127.0.0.1",
    protocol: "http",
    tls: null,
    hasHttp2: true,
    hasHttp3: false,
    expectsProxyProtocol: false,
    httpsRedirectPort: null,
    hsts: null,
    hostnames: [],
    source: { file: "torii.yaml", line: 1, column: 1, field: `listeners[${name}]` },
  };
}

describe("the sockets of a configuration", () => {
  test("are one for each port and slot, and listeners of one port share them", () => {
    const sockets = createSockets();
    const port = closedPort();
    const prepared = sockets.prepare([listener("a", port), listener("b", port), listener("c", 0)], 2);
    prepared.commit();
    expect(prepared.isChanged).toBe(true);
    expect([sockets.forSlot(1).length, sockets.forSlot(2).length, sockets.forSlot(3).length]).toEqual([2, 2, 0]);
    const places = sockets.addresses();
    expect([places.get("a")?.port, places.get("b")?.port]).toEqual([port, port]);
    expect(places.get("c")?.port).toBeGreaterThan(0);
    sockets.closeAll();
  });

  test("stay for what a change leaves, and more slots are no other sockets", () => {
    const sockets = createSockets();
    const port = closedPort();
    sockets.prepare([listener("a", port)], 2).commit();
    const [before] = sockets.forSlot(1);
    const more = sockets.prepare([listener("renamed", port)], 3);
    more.commit();
    expect(more.isChanged).toBe(false);
    expect(sockets.forSlot(1)[0]?.fd).toBe(before?.fd ?? -1);
    expect(sockets.forSlot(3)).toHaveLength(1);
    sockets.prepare([listener("a", port)], 1).commit();
    expect(sockets.forSlot(2)).toEqual([]);
    sockets.closeAll();
  });

  test("are as before when one cannot be had, and the fault names the listener", () => {
    const sockets = createSockets();
    const port = closedPort();
    sockets.prepare([listener("a", port)], 2).commit();
    const taken = openShared("127.0.0.1", 0);
    expect(() => sockets.prepare([listener("a", port), listener("new", 0), listener("b", taken.port)], 2)).toThrow(
      `127.0.0.1:${taken.port} is taken`,
    );
    closeSync(taken.fd);
    expect(sockets.forSlot(2).map((socket) => socket.port)).toEqual([port]);
    sockets.closeAll();
    expect(() => refuseTaken("127.0.0.1", port)).not.toThrow();
  });

  test("are closed again when the change is called off", () => {
    const sockets = createSockets();
    const [port, added] = [closedPort(), closedPort()];
    sockets.prepare([listener("a", port)], 1).commit();
    const prepared = sockets.prepare([listener("b", added)], 2);
    expect(sockets.forSlot(2).map((socket) => socket.port)).toEqual([added]);
    prepared.abort();
    expect(sockets.forSlot(1).map((socket) => socket.port)).toEqual([port]);
    expect(() => refuseTaken("127.0.0.1", added)).not.toThrow();
    sockets.closeAll();
  });
});

describe("a socket's address", () => {
  test.each([
    ["127.0.0.1", 8080, "02001f907f0000010000000000000000"],
    ["localhost", 80, "020000507f0000010000000000000000"],
    ["::1", 443, "0a0001bb0000000000000000000000000000000000000001" + "00000000"],
  ])("%s port %d is written as the kernel reads it", (address, port, hex) => {
    expect(Buffer.from(socketAddress(address, port)?.bytes ?? []).toString("hex")).toBe(hex);
  });

  test("that is none is none", () => {
    expect(socketAddress("example.com", 80)).toBeNull();
  });
});
