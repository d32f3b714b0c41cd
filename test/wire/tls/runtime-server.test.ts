import { afterAll, describe, expect, test } from "bun:test";
import { createSecureContext } from "node:tls";
import type { Socket } from "bun";
import { freeBuffer } from "../../../src/wire/free-buffer.ts";
import { authority } from "../../support/certificates.ts";
import { connect } from "../../support/client.ts";
import { clientHello, inRecords } from "../../support/client-hello.ts";
import { eventually } from "../../support/load.ts";
import { Peer, peerHandlers } from "../../support/peer.ts";
import { connectTls } from "../../support/tls-client.ts";

// What the runtime's sockets do when an accepted one is upgraded to TLS; in part it stands in no documentation.

const ca = authority();
const { cert, key } = ca.issue({ names: ["a.test"] });
const { context } = createSecureContext({ cert, key });
const servers: Disposable[] = [];
afterAll(() => {
  for (const server of servers) server[Symbol.dispose]();
});

/** One upgraded connection, and what its two sockets told, in order. */
interface Upgraded {
  readonly peer: Peer;
  readonly socket: Socket<Peer>;
  readonly records: Socket<Peer>;
}

interface Serving {
  readonly port: number;
  readonly events: readonly string[];
  /** The next connection whose handshake is done. */
  next(): Promise<Upgraded>;
}

interface Options {
  /** Bytes that have to be there before the upgrade. */
  readonly after?: number;
  readonly discards?: boolean;
}

function serve({ after = 1, discards = false }: Options = {}): Serving {
  const events: string[] = [];
  const done: Upgraded[] = [];
  const waiting: ((upgraded: Upgraded) => void)[] = [];
  const note = (who: string, handlers: typeof peerHandlers) => ({
    data(socket: Socket<Peer>, bytes: Buffer) {
      events.push(`${who} data`);
      handlers.data(socket, bytes);
      freeBuffer(bytes);
    },
    drain: handlers.drain,
    end(socket: Socket<Peer>) {
      events.push(`${who} end`);
      handlers.end(socket);
    },
    close(socket: Socket<Peer>, error?: Error) {
      events.push(`${who} close ${error === undefined ? "cleanly" : "by reset"}`);
      handlers.close(socket, error);
    },
    error: handlers.error,
  });

  function upgrade(socket: Socket<Peer>, initialData: Buffer): void {
    let records: Socket<Peer> | null = null;
    const upgrading = {
      isServer: true,
      initialData,
      tls: { secureContext: context, ALPNProtocols: Buffer.from("\x08http/1.1") },
      socket: {
        ...note("tls", peerHandlers),
        handshake(opened: Socket<Peer>, isDone: boolean) {
          events.push(`tls handshake ${isDone}`);
          opened.data = new Peer(opened);
          if (discards) opened.data.discard();
          if (!isDone || records === null) return;
          const upgraded = { peer: opened.data, socket: opened, records };
          const take = waiting.shift();
          if (take === undefined) done.push(upgraded);
          else take(upgraded);
        },
      },
    };
    [records] = socket.upgradeTLS<Peer>(upgrading);
  }

  const listener = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...note("raw", peerHandlers),
      open(socket) {
        socket.data = new Peer(socket);
      },
      data(socket, bytes) {
        events.push("raw data");
        const { data: peer } = socket;
        if (peer.receivedBytes >= after) return;
        peer.onData(bytes);
        if (peer.receivedBytes >= after) upgrade(socket, peer.received);
      },
    },
  });
  servers.push({ [Symbol.dispose]: () => listener.stop(true) });
  const next = () => {
    const first = done.shift();
    return first === undefined ? new Promise<Upgraded>((resolve) => waiting.push(resolve)) : Promise.resolve(first);
  };
  return { port: listener.port, events, next };
}

async function pair(server: Serving) {
  const client = await connectTls(server, { name: "a.test", alpn: ["http/1.1"] });
  return { client, ...(await server.next()) };
}

describe("an accepted socket that is upgraded", () => {
  test("tells addresses, name, version, protocol and whether it was resumed; Nagle can be turned off", async () => {
    const server = serve();
    const { client, socket } = await pair(server);
    expect([socket.remoteAddress, socket.localPort, socket.getServername()]).toEqual([
      "127.0.0.1",
      server.port,
      "a.test",
    ]);
    expect([socket.getTLSVersion(), socket.alpnProtocol, socket.isSessionReused()]).toEqual([
      "TLSv1.3",
      "http/1.1",
      false,
    ]);
    expect(socket.setNoDelay(true)).toBe(true);
    client.raw.close();
  });

  test("goes on from what was read before, in however many packets it came", async () => {
    const hello = inRecords(await clientHello("-servername", "a.test"), 50);
    const server = serve({ after: hello.length });
    using client = await connect(server);
    await client.peer.sendSplit(hello, [1, 10, 100, 200]);
    expect((await client.peer.take(6))[5]).toBe(2);
  });

  test("tells of the records on another socket as well, with the data that the first one had", async () => {
    const server = serve();
    const { client, peer, records } = await pair(server);
    await client.raw.send("hello");
    await peer.until(() => peer.text === "hello", "the bytes");
    expect(server.events.slice(-2)).toEqual(["raw data", "tls data"]);
    expect(records.data).toBeInstanceOf(Peer);
    client.raw.close();
  });

  test("passes bytes both ways whole, whatever is paused, written short and freed", async () => {
    const server = serve();
    const { client, peer, socket } = await pair(server);
    const bytes = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    const hash = Bun.hash(bytes);
    peer.pause();
    const up = client.raw.send(bytes);
    client.raw.peer.pause();
    const isShort = socket.write(bytes) < bytes.length;
    expect(isShort).toBe(true);
    expect(peer.receivedBytes).toBe(0);
    peer.resume();
    expect(Bun.hash(await peer.take(bytes.length))).toBe(hash);
    await up;
    client.raw.peer.resume();
    await client.raw.peer.until(() => client.raw.peer.receivedBytes > 0, "the first bytes");
    client.raw.close();
  });

  test("drains, so that what was written short arrives whole", async () => {
    const server = serve();
    const { client, peer } = await pair(server);
    const bytes = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    client.raw.peer.pause();
    const down = peer.send(bytes);
    client.raw.peer.resume();
    const got = await client.raw.peer.take(bytes.length);
    await down;
    expect(Bun.hash(got)).toBe(Bun.hash(bytes));
    client.raw.close();
  });

  test("half-closes: each side may end its sending and read on", async () => {
    const server = serve();
    const { client, peer } = await pair(server);
    client.raw.peer.endSending();
    expect(await peer.ending()).toBe("ended");
    await peer.send("late");
    await client.raw.peer.until(() => client.raw.peer.text === "late", "the late bytes");
    peer.endSending();
    expect(await client.raw.peer.ending()).not.toBe("reset");
    await eventually(() => peer.isGone, "both sockets to close");
    expect(server.events.filter((event) => event.includes("close")).sort()).toEqual([
      "raw close cleanly",
      "tls close cleanly",
    ]);
  });

  test("may end first and read on", async () => {
    const server = serve();
    const { client, peer, socket } = await pair(server);
    peer.endSending();
    expect(await client.raw.peer.ending()).toBe("ended");
    expect(socket.write("x")).toBeLessThanOrEqual(0);
    await client.raw.send("after");
    await peer.until(() => peer.text === "after", "the bytes");
    client.raw.close();
  });

  test("tells a reset as one, and resets by terminate", async () => {
    const server = serve();
    const one = await pair(server);
    one.client.raw.peer.reset();
    expect(await one.peer.closing()).toBe("reset");
    const two = await pair(server);
    two.peer.reset();
    expect(await two.client.raw.peer.closing()).toBe("reset");
  });

  test("takes an end of the connection without close_notify for an end", async () => {
    const server = serve();
    const raw = Bun.spawn(["openssl", "s_client", "-quiet", "-connect", `127.0.0.1:${server.port}`], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
    });
    const { peer } = await server.next();
    raw.kill("SIGKILL");
    await eventually(() => peer.state !== "open", "the end");
    expect(["ended", "closed"]).toContain(peer.state);
    await raw.exited;
  });

  test("fails its handshake within the call where what was read is no TLS, and closes both", async () => {
    const server = serve();
    using client = await connect(server);
    await client.send("GARBAGE\r\n\r\n");
    await client.peer.ending();
    // An alert, which the runtime sends by itself.
    expect(client.peer.received[0]).toBe(21);
    await eventually(() => server.events.includes("tls close cleanly"), "the socket to close");
    expect(server.events).toEqual(["raw data", "tls handshake false", "raw close cleanly", "tls close cleanly"]);
  });

  test("tells of a client that resets within the handshake by `close` alone", async () => {
    const server = serve();
    const client = await connect(server);
    await client.send(await clientHello("-servername", "a.test"));
    await client.peer.take(6);
    client.peer.reset();
    await eventually(() => server.events.some((event) => event.startsWith("tls close")), "the socket to close");
    expect(server.events).toEqual(["raw data", "raw close by reset", "tls close by reset"]);
  });
});

describe("memory", () => {
  test("of connections that are gone is given back", async () => {
    const server = serve({ discards: true });
    const round = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const { client, peer } = await pair(server);
        await client.raw.send(Buffer.alloc(64 * 1024));
        await peer.until(() => peer.receivedBytes === 64 * 1024, "all bytes");
        client.raw.close();
        await peer.ending();
      }
      Bun.gc(true);
      return process.memoryUsage().rss;
    };
    await round(200);
    const before = await round(100);
    const after = await round(200);
    // 200 connections that were kept would hold 12 MB in their bytes alone.
    expect(after - before).toBeLessThan(8 * 1024 * 1024);
  }, 30_000);
});
