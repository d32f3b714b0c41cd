import { describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { createRedisStore } from "../../src/store/redis.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { eventually } from "../support/load.ts";
import { follow } from "./support.ts";

const MIB = 1024 * 1024;
const PIECE = Buffer.alloc(MIB, "x");
const INFO = "redis_version:7.4.0\r\nloading:0\r\n";

/** Writes for ever, as fast as it is read; `poured` is told the most that one connection took. */
function pourInto(socket: Socket, poured: { bytes: number }): void {
  while (!socket.destroyed) {
    const isTaken = socket.write(PIECE);
    poured.bytes = Math.max(poured.bytes, socket.bytesWritten);
    if (isTaken) continue;
    socket.once("drain", () => pourInto(socket, poured));
    return;
  }
}

type Say = (words: readonly string[], socket: Socket) => string | null;

/** What speaks Redis's protocol, one command at a time, and says what the test wants; null: that it did so itself. */
async function startPretender(say: Say) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (data) => {
      text += data.toString("latin1");
      for (;;) {
        const words = commandOf(text);
        if (words === null) return;
        text = text.slice(words.length);
        const name = words.words[0]?.toLowerCase();
        const answer = name === "info" ? bulk(INFO) : (say(words.words, socket) ?? "");
        socket.write(answer, "latin1");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port, url: `redis://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

function commandOf(text: string): { readonly words: readonly string[]; readonly length: number } | null {
  const count = /^\*(\d+)\r\n/.exec(text);
  if (count === null) return null;
  let at = count[0].length;
  const words: string[] = [];
  for (let i = 0; i < Number(count[1]); i++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return null;
    const from = at + size[0].length;
    at = from + Number(size[1]) + 2;
    if (text.length < at) return null;
    words.push(text.slice(from, at - 2));
  }
  return { words, length: at };
}

describe("a Redis whose reply has no end", () => {
  test.each(["$2000000000\r\n", "*2000000000\r\n$2000000000\r\n", "+"])("is given up: %j", async (beginning) => {
    const poured = { bytes: 0 };
    await using redis = await startPretender(([name], socket) => {
      if (name !== "get") return "+OK\r\n";
      socket.write(beginning);
      pourInto(socket, poured);
      return null;
    });
    const states: string[] = [];
    const onState = (state: string, reason: string | null) => void states.push(`${state} ${reason ?? ""}`);
    const store = createRedisStore({ config: { url: redis.url }, timeoutMs: 60_000, random: () => 0, onState });
    const error = await store.get("a").catch((thrown) => thrown);
    await eventually(() => states.length > 1, "away");
    await store.close();
    if (!(error instanceof StoreError)) throw new Error(`no StoreError, but ${error}`);
    expect([error.code, error.mayHaveRun]).toEqual(["unavailable", true]);
    expect(states[1]).toBe(`away a reply has over ${64 * MIB} bytes`);
    // What stands in the buffers of both sockets is beyond.
    expect(poured.bytes).toBeLessThan(128 * MIB);
  });

  test("is given up where nothing was asked, too", async () => {
    const poured = { bytes: 0 };
    await using redis = await startPretender(([name], socket) => {
      if (name !== "set") return "+OK\r\n";
      socket.write("+OK\r\n$2000000000\r\n");
      pourInto(socket, poured);
      return null;
    });
    const states: string[] = [];
    const onState = (state: string, reason: string | null) => void states.push(`${state} ${reason ?? ""}`);
    const store = createRedisStore({ config: { url: redis.url }, timeoutMs: 60_000, random: () => 0, onState });
    await store.set("a", "1");
    await eventually(() => states.length > 1, "away");
    await store.close();
    expect(states[1]).toBe(`away a reply has over ${64 * MIB} bytes`);
  });

  test("is given up where it is one of a Cluster", async () => {
    const poured = { bytes: 0 };
    await using redis = await startPretender(([name], socket) => {
      if (name === "cluster") return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk("127.0.0.1")}:${redis.port}\r\n`;
      if (name !== "get") return "+OK\r\n";
      socket.write("$2000000000\r\n");
      pourInto(socket, poured);
      return null;
    });
    const store = createRedisStore({ config: { cluster: [redis.url] }, timeoutMs: 60_000, random: () => 0 });
    const error = await store.get("a").catch((thrown) => thrown);
    await store.close();
    expect(error instanceof StoreError && error.code).toBe("unavailable");
    expect(poured.bytes).toBeLessThan(128 * MIB);
  });

  test("is another thing than one that has much to say in the end", async () => {
    const long = "x".repeat(8 * MIB);
    await using redis = await startPretender(([name]) => (name === "get" ? bulk(long) : "+OK\r\n"));
    const states: string[] = [];
    const onState = (state: string) => void states.push(state);
    const store = createRedisStore({ config: { url: redis.url }, timeoutMs: 60_000, random: () => 0, onState });
    for (let i = 0; i < 12; i++) expect((await store.get("a"))?.length).toBe(8 * MIB);
    const all = await Promise.all(Array.from({ length: 12 }, () => store.get("a")));
    expect([all.length, states]).toEqual([12, ["ready"]]);
    await store.close();
  });
});

describe("a message that has no end", () => {
  test("costs the connection for messages, and honest ones do not, however many", async () => {
    const poured = { bytes: 0 };
    let asked = 0;
    const long = "x".repeat(8 * MIB);
    await using redis = await startPretender(([name, channel = ""], socket) => {
      if (name !== "subscribe") return "+OK\r\n";
      const message = `*3\r\n${bulk("message")}${bulk(channel)}`;
      socket.write(`*3\r\n${bulk("subscribe")}${bulk(channel)}:1\r\n`);
      for (let i = 0; i < 12; i++) socket.write(message + bulk(long), "latin1");
      if (++asked === 1) {
        socket.write(`${message}$2000000000\r\n`);
        pourInto(socket, poured);
      }
      return null;
    });
    const store = createRedisStore({ config: { url: redis.url }, timeoutMs: 60_000, random: () => 0 });
    await using follower = follow(store, "news");
    await follower.standing(2, 20_000);
    await eventually(() => follower.seen.length === 24, "all messages", 20_000);
    await store.close();
    expect(asked).toBe(2);
    expect(poured.bytes).toBeLessThan(256 * MIB);
  });
});
