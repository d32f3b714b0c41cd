import { describe, expect, test } from "bun:test";
import { createRedisStore, type RedisStoreOptions } from "../../src/store/redis.ts";
import type { Store } from "../../src/store/store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { eventually } from "../support/load.ts";
import { freePort, startRedis } from "../support/redis.ts";
import { COUNT } from "./contract-script.ts";
import { follow } from "./support.ts";

/** A store and every state that it entered, closed when it is disposed of. */
function open(url: string, options: Partial<RedisStoreOptions> = {}) {
  const states: string[] = [];
  const store = createRedisStore({
    config: { url },
    random: () => 0,
    onState: (state) => void states.push(state),
    ...options,
  });
  return { store, states, [Symbol.asyncDispose]: () => store.close() };
}

async function failure(call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => null,
    (thrown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error(`no StoreError, but ${error}`);
  return error;
}

/** Fails the test if the call takes longer than it may; 300 ms are for a busy machine. */
async function inTime<T>(mostMs: number, call: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await call;
  } finally {
    expect(performance.now() - startedAt).toBeLessThan(mostMs + 300);
  }
}

const works = (store: Store) => () =>
  store.set("probe", "1").then(
    () => true,
    () => false,
  );

describe("a Redis that is killed", () => {
  test("makes calls fail within their time, and later ones at once, until it is back", async () => {
    await using redis = await startRedis();
    await using world = open(redis.url);
    const { store, states } = world;
    await store.set("a", "1");
    await redis.kill();
    const first = await inTime(500, failure(store.get("a")));
    expect(first.isUnavailable).toBe(true);
    await eventually(() => store.state === "away", "away");
    const later = await inTime(0, failure(store.script(COUNT, { keys: ["c"], args: ["f", "1", "1000"] })));
    expect([later.code, later.mayHaveRun]).toEqual(["unavailable", false]);
    expect(later.message).toStartWith("Redis is away");
    await redis.restart();
    await eventually(works(store), "back");
    // It came back empty, and knows no script any more.
    expect(await store.get("a")).toBeNull();
    expect(await store.script(COUNT, { keys: ["c"], args: ["f", "1", "1000"] })).toEqual([1, 1, false]);
    expect(states).toEqual(["ready", "away", "ready"]);
  });

  test("rejects what was in flight, and does not send it again", async () => {
    await using redis = await startRedis();
    await using world = open(redis.url, { timeoutMs: 5000 });
    const { store } = world;
    await store.set("a", "1");
    await redis.cli("client", "pause", "10000", "all");
    const calls = Array.from({ length: 20 }, () =>
      failure(store.script(COUNT, { keys: ["c"], args: ["f", "1", "9999"] })),
    );
    await redis.restart();
    for (const error of await Promise.all(calls)) {
      expect([error.code, error.mayHaveRun]).toEqual(["unavailable", true]);
    }
    await eventually(works(store), "back");
    expect(await store.script(COUNT, { keys: ["c"], args: ["f", "1", "9999"] })).toEqual([1, 1, false]);
  });

  test("is found again by subscribers, who are told that they may have missed something", async () => {
    await using redis = await startRedis();
    await using world = open(redis.url);
    await using other = open(redis.url);
    await using news = follow(world.store, "news");
    await using more = follow(world.store, "more");
    await Promise.all([news.standing(1), more.standing(1)]);
    await redis.restart();
    await Promise.all([news.standing(2), more.standing(2)]);
    await eventually(works(other.store), "back");
    await other.store.publish("news", "1");
    expect(await news.texts(1)).toEqual(["1"]);
    expect([news.gaps, more.gaps]).toEqual([2, 2]);
  });
});

describe("a Redis that hangs", () => {
  test("makes a call fail when its time is over, and the next ones at once", async () => {
    await using redis = await startRedis();
    await using world = open(redis.url, { timeoutMs: 200 });
    const { store } = world;
    await store.set("a", "1");
    process.kill(redis.pid, "SIGSTOP");
    const error = await inTime(200, failure(store.get("a")));
    expect(error.isUnavailable).toBe(true);
    expect(error.mayHaveRun).toBe(true);
    await eventually(() => store.state === "away", "away");
    await inTime(0, failure(store.get("a")));
    process.kill(redis.pid, "SIGCONT");
    await eventually(works(store), "back");
    expect(await store.get("a")).toBe("1");
  });

  test("does not hold a call longer than that call allows", async () => {
    await using redis = await startRedis();
    await using world = open(redis.url);
    const { store } = world;
    await store.get("a");
    await redis.cli("client", "pause", "300", "all");
    const error = await inTime(5, failure(store.get("a", { timeoutMs: 5 })));
    expect(error.code).toBe("timed_out");
    const abort = new AbortController();
    const aborted = failure(store.get("a", { signal: abort.signal }));
    abort.abort();
    expect((await inTime(0, aborted)).code).toBe("aborted");
    // It was silent for less than the store's own time: the connection is kept.
    await eventually(works(store), "back");
    expect(world.states).toEqual(["ready"]);
  });
});

describe("a Redis that was never there", () => {
  test("makes the first calls fail as soon as that is known, and is used once it comes", async () => {
    const port = freePort();
    await using world = open(`redis://127.0.0.1:${port}`);
    const { store } = world;
    expect(store.state).toBe("connecting");
    const error = await inTime(500, failure(store.get("a")));
    expect([error.code, error.mayHaveRun]).toEqual(["unavailable", false]);
    expect(error.message).toContain("ECONNREFUSED");
    await using news = follow(store, "news");
    await using redis = await startRedis({ port });
    await eventually(works(store), "there");
    await news.standing(1);
    await store.publish("news", "1");
    expect(await news.texts(1)).toEqual(["1"]);
    expect(redis.port).toBe(port);
  });

  test("that takes connections and says nothing keeps the first call no longer than its time", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    await using world = open(`redis://127.0.0.1:${silent.port}`, { timeoutMs: 200 });
    const error = await inTime(200, failure(world.store.get("a")));
    expect(error.isUnavailable).toBe(true);
    await eventually(() => world.store.state === "away", "away");
    silent.stop(true);
  });
});

describe("a Redis that refuses us", () => {
  test("for its password is away, and the reason is told", async () => {
    await using redis = await startRedis({ args: ["--requirepass", "right"] });
    await using wrong = open(redis.url.replace("//", "//:wrong@"));
    const error = await failure(wrong.store.get("a"));
    expect(error.isUnavailable).toBe(true);
    expect(error.message).toMatch(/WRONGPASS|invalid/i);
    expect(error.message).not.toContain("wrong@");
    await using right = open(redis.url.replace("//", "//:right@"));
    await right.store.set("a", "1");
  });

  test("as a user without the right to a command refuses that call", async () => {
    await using redis = await startRedis();
    await redis.cli("acl", "setuser", "u", "on", ">p~", "~*", "&*", "+@all", "-set");
    await using world = open(redis.url.replace("//", "//u:p%7E@"));
    expect((await failure(world.store.set("a", "1"))).code).toBe("refused");
    expect(await world.store.get("a")).toBeNull();
  });

  test("as a replica is unavailable, and becomes ours when it is made the master", async () => {
    await using master = await startRedis();
    await using redis = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
    await using world = open(redis.url);
    const error = await failure(world.store.set("a", "1"));
    expect([error.code, error.isUnavailable]).toEqual(["unavailable", true]);
    await redis.cli("replicaof", "no", "one");
    await eventually(works(world.store), "master");
  });
});

describe("a store's names", () => {
  test("stand behind its prefix, so that two do not meet", async () => {
    await using redis = await startRedis();
    await using a = open(redis.url);
    await using b = open(redis.url, { prefix: "b:" });
    await using news = follow(b.store, "news");
    await news.standing(1);
    await a.store.set("key", "1");
    await b.store.set("key", "2");
    await b.store.compareAndSet("key", { expected: "2", value: "3" });
    await a.store.publish("news", "a");
    await b.store.publish("news", "b");
    expect((await redis.cli("keys", "*")).split("\n").toSorted()).toEqual(["b:key", "torii:key"]);
    expect(await redis.cli("get", "b:key")).toBe("3");
    expect(await news.texts(1)).toEqual(["b"]);
  });

  test("have no prefix with braces, which would bring all keys to one server of a Cluster", () => {
    expect(() => createRedisStore({ config: { url: "redis://127.0.0.1:1" }, prefix: "{t}:" })).toThrow("no braces");
  });
});

describe("closing a store", () => {
  test("ends its connections, and what is in flight", async () => {
    await using redis = await startRedis();
    const { store } = open(redis.url, { timeoutMs: 3000 });
    await using news = follow(store, "news");
    await news.standing(1);
    await redis.cli("client", "pause", "200", "all");
    const call = failure(store.get("a"));
    await store.close();
    expect((await call).code).toBe("closed");
    await eventually(async () => !(await redis.cli("client", "list")).includes("name=torii"), "no connection");
  });

  test("while it tries to connect ends that", async () => {
    const { store, states } = open(`redis://127.0.0.1:${freePort()}`);
    await using news = follow(store, "news");
    await failure(store.get("a"));
    await store.close();
    expect(states.at(-1)).toBe("closed");
    expect(news.gaps).toBe(0);
  });
});
