import { describe, expect, test } from "bun:test";
import type { Store, StoreScript } from "../../src/store/store.ts";
import { StoreError } from "../../src/store/store-error.ts";
import { follow } from "./support.ts";

/** A store under test. */
export interface StoreWorld extends AsyncDisposable {
  readonly store: Store;
  /** Another that shares its state, as a second gateway's; the same one where state is not shared. */
  readonly other: Store;
  /** Lets the store's clock move on by so many milliseconds. */
  pass(ms: number): Promise<void>;
}

/** Adds to a counter in a hash and tells its new value, the number of fields, and whether the key was there. */
export const COUNT: StoreScript<readonly [number, number, boolean]> = {
  name: "count",
  lua: `
local had = redis.call('EXISTS', KEYS[1])
local value = redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {value, redis.call('HLEN', KEYS[1]), had == 1 and 'yes' or false}`,
  memory: (state, { keys: [key = ""], args: [field = "", by = "", ttlMs = ""] }) => {
    const hash = state.hash(key);
    const had = hash.size > 0;
    const value = Number(hash.get(field) ?? 0) + Number(by);
    hash.set(field, String(value));
    state.expire(key, Number(ttlMs));
    return [value, hash.size, had ? "yes" : null];
  },
  result: (reply) => {
    const [value, size, had] = Array.isArray(reply) ? reply : [];
    if (typeof value !== "number" || typeof size !== "number") throw new TypeError("count: unforeseen reply");
    return [value, size, had === "yes"];
  },
};

const MOVE: StoreScript<string | null> = {
  name: "move",
  lua: `
local held = redis.call('GET', KEYS[1])
if not held then return false end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], held, 'PX', 60000)
return held`,
  memory: (state, { keys: [from = "", to = ""] }) => {
    const held = state.get(from);
    if (held === null) return null;
    state.delete(from);
    state.set(to, held, 60_000);
    return held;
  },
  result: (reply) => (typeof reply === "string" ? reply : null),
};

const CLOCK: StoreScript<number> = {
  name: "clock",
  lua: "local t = redis.call('TIME'); redis.call('GET', KEYS[1]); return t[1] * 1000000 + t[2]",
  memory: ({ nowMicros }) => nowMicros,
  result: Number,
};

/** What holds for every store. */
export function storeContract(name: string, make: () => Promise<StoreWorld>): void {
  async function within(run: (world: StoreWorld) => Promise<void>): Promise<void> {
    await using world = await make();
    await run(world);
  }

  async function codeOf(call: Promise<unknown>): Promise<string> {
    try {
      await call;
    } catch (error) {
      return error instanceof StoreError ? error.code : `no StoreError: ${error}`;
    }
    return "no error";
  }

  describe(`${name}: keys and values`, () => {
    test("are what was set, and null where nothing was", () =>
      within(async ({ store, other }) => {
        expect(await store.get("a")).toBeNull();
        await store.set("a", "1");
        expect(await other.get("a")).toBe("1");
        await other.set("a", "");
        expect(await store.get("a")).toBe("");
      }));

    test("may be any text", () =>
      within(async ({ store }) => {
        const odd = 'ä€😀\0\r\n" {x}';
        await store.set(odd, odd);
        expect(await store.get(odd)).toBe(odd);
        const long = "0123456789".repeat(20_000);
        await store.set("long", long);
        expect(await store.get("long")).toBe(long);
      }));

    test("are gone when they were deleted", () =>
      within(async ({ store }) => {
        await store.set("a", "1");
        expect(await store.delete("a")).toBe(true);
        expect(await store.delete("a")).toBe(false);
        expect(await store.get("a")).toBeNull();
      }));

    test("are gone when their time is over, and not before", () =>
      within(async ({ store, pass }) => {
        await store.set("short", "1", { ttlMs: 200 });
        await store.set("long", "1", { ttlMs: 60_000 });
        expect(await store.get("short")).toBe("1");
        await pass(201);
        expect(await store.get("short")).toBeNull();
        expect(await store.delete("short")).toBe(false);
        expect(await store.get("long")).toBe("1");
      }));

    test("lose their time to live when they are set without one", () =>
      within(async ({ store, pass }) => {
        await store.set("a", "1", { ttlMs: 100 });
        await store.set("a", "2");
        await pass(101);
        expect(await store.get("a")).toBe("2");
      }));

    test("are not taken with a time to live that is none", () =>
      within(async ({ store }) => {
        for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
          await expect(store.set("a", "1", { ttlMs })).rejects.toThrow(TypeError);
        }
        await store.set("a", "1", { ttlMs: 1000.5 });
      }));
  });

  describe(`${name}: compareAndSet`, () => {
    test("changes only what is still as it was seen", () =>
      within(async ({ store }) => {
        expect(await store.compareAndSet("a", { expected: "1", value: "2" })).toBe(false);
        expect(await store.compareAndSet("a", { expected: null, value: "1" })).toBe(true);
        expect(await store.compareAndSet("a", { expected: null, value: "2" })).toBe(false);
        expect(await store.compareAndSet("a", { expected: "0", value: "2" })).toBe(false);
        expect(await store.get("a")).toBe("1");
        expect(await store.compareAndSet("a", { expected: "1", value: "2" })).toBe(true);
        expect(await store.get("a")).toBe("2");
      }));

    test("tells an empty value from none", () =>
      within(async ({ store }) => {
        expect(await store.compareAndSet("a", { expected: "", value: "1" })).toBe(false);
        expect(await store.compareAndSet("a", { expected: null, value: "" })).toBe(true);
        expect(await store.compareAndSet("a", { expected: null, value: "1" })).toBe(false);
        expect(await store.compareAndSet("a", { expected: "", value: null })).toBe(true);
        expect(await store.get("a")).toBeNull();
      }));

    test("sets an expiry, and takes it away when it is made without", () =>
      within(async ({ store, pass }) => {
        await store.compareAndSet("a", { expected: null, value: "1" }, { ttlMs: 100 });
        await store.compareAndSet("b", { expected: null, value: "1" }, { ttlMs: 100 });
        await store.compareAndSet("b", { expected: "1", value: "2" });
        await pass(101);
        expect(await store.get("a")).toBeNull();
        expect(await store.compareAndSet("a", { expected: null, value: "2" })).toBe(true);
        expect(await store.get("b")).toBe("2");
      }));

    test("lets one of many win", () =>
      within(async ({ store, other }) => {
        const racers = Array.from({ length: 20 }, (_, number) => (number % 2 === 0 ? store : other));
        const won = await Promise.all(
          racers.map((racer, number) => racer.compareAndSet("a", { expected: null, value: String(number) })),
        );
        expect(won.filter(Boolean).length).toBe(1);
        expect(await store.get("a")).toBe(String(won.indexOf(true)));
      }));
  });

  describe(`${name}: a script`, () => {
    const count = (store: Store, field: string, by: number, ttlMs = 60_000) =>
      store.script(COUNT, { keys: ["c"], args: [field, String(by), String(ttlMs)] });

    test("is one step over a hash, and its reply becomes a result", () =>
      within(async ({ store, other }) => {
        expect(await count(store, "a", 2)).toEqual([2, 1, false]);
        expect(await count(other, "b", 1)).toEqual([1, 2, true]);
        const counts = await Promise.all(Array.from({ length: 50 }, () => count(store, "a", 1)));
        expect(counts.map(([value]) => value).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: 50 }, (_, i) => i + 3),
        );
      }));

    test("may let its key expire", () =>
      within(async ({ store, pass }) => {
        await count(store, "a", 5, 200);
        await pass(201);
        expect(await count(store, "a", 1)).toEqual([1, 1, false]);
      }));

    test("may have several keys of one tag, and null for an answer", () =>
      within(async ({ store }) => {
        const call = { keys: ["from:{x}", "to:{x}"], args: [] };
        expect(await store.script(MOVE, call)).toBeNull();
        await store.set("from:{x}", "held");
        expect(await store.script(MOVE, call)).toBe("held");
        expect(await store.get("from:{x}")).toBeNull();
        expect(await store.get("to:{x}")).toBe("held");
      }));

    test("needs a key, and keys that a Cluster can bring together", () =>
      within(async ({ store }) => {
        await expect(store.script(MOVE, { keys: [], args: [] })).rejects.toThrow("needs a key");
        await expect(store.script(MOVE, { keys: ["a", "b"], args: [] })).rejects.toThrow("same {tag}");
        await expect(store.script(MOVE, { keys: ["a{x}", "b{y}"], args: [] })).rejects.toThrow(TypeError);
      }));

    test("sees the store's clock in microseconds", () =>
      within(async ({ store, pass }) => {
        const call = { keys: ["k"], args: [] };
        const before = await store.script(CLOCK, call);
        await pass(50);
        const after = await store.script(CLOCK, call);
        expect(after - before).toBeGreaterThanOrEqual(49_000);
        expect(after).toBeGreaterThan(1e15);
      }));

    test("is refused, as a get is, for a key of another kind", () =>
      within(async ({ store }) => {
        await store.set("c", "text");
        expect(await codeOf(count(store, "a", 1))).toBe("refused");
        await count(store, "a", 1).catch((error) => expect(error.isUnavailable).toBe(false));
        await store.delete("c");
        await count(store, "a", 1);
        expect(await codeOf(store.get("c"))).toBe("refused");
      }));
  });

  describe(`${name}: a channel`, () => {
    test("brings what is published to all who follow it, in order, and to nobody else", () =>
      within(async ({ store, other }) => {
        await using a = follow(store, "news");
        await using b = follow(other, "news");
        await using c = follow(store, "else");
        await Promise.all([a.standing(1), b.standing(1), c.standing(1)]);
        for (const text of ["1", "2", "ä\0"]) await store.publish("news", text);
        await other.publish("else", "4");
        expect(await a.texts(3)).toEqual(["1", "2", "ä\0"]);
        expect(await b.texts(3)).toEqual(["1", "2", "ä\0"]);
        expect(await c.texts(1)).toEqual(["4"]);
      }));

    test("says first that it stands, also to those who come later", () =>
      within(async ({ store }) => {
        await using a = follow(store, "news");
        await a.standing(1);
        await using b = follow(store, "news");
        expect(b.gaps).toBe(0);
        await b.standing(1);
        await store.publish("news", "1");
        await b.texts(1);
        expect([a.gaps, b.gaps]).toEqual([1, 1]);
      }));

    test("is left with the signal, and may be followed again", () =>
      within(async ({ store }) => {
        await using kept = follow(store, "kept");
        const a = follow(store, "news");
        await Promise.all([a.standing(1), kept.standing(1)]);
        a.end();
        await store.publish("news", "1");
        await using again = follow(store, "news");
        await again.standing(1);
        await store.publish("news", "2");
        expect(await again.texts(1)).toEqual(["2"]);
        expect(a.seen).toEqual([]);
      }));

    test("takes no follower whose signal has aborted", () =>
      within(async ({ store }) => {
        const seen: string[] = [];
        const subscriber = { message: (text: string) => void seen.push(text), gap: () => void seen.push("gap") };
        store.subscribe("news", subscriber, AbortSignal.abort());
        await using a = follow(store, "news");
        await a.standing(1);
        await store.publish("news", "1");
        await a.texts(1);
        expect(seen).toEqual([]);
      }));

    test("takes messages that nobody follows", () =>
      within(async ({ store }) => {
        await store.publish("nobody", "1");
        expect(store.state).toBe("ready");
      }));
  });

  describe(`${name}: a call`, () => {
    test("with an aborted signal has no effect", () =>
      within(async ({ store }) => {
        const signal = AbortSignal.abort(new Error("gone"));
        expect(await codeOf(store.set("a", "1", { signal }))).toBe("aborted");
        await store.get("a", { signal }).catch((error) => {
          expect([error.isUnavailable, error.mayHaveRun, error.cause.message]).toEqual([false, false, "gone"]);
        });
        expect(await store.get("a")).toBeNull();
      }));

    test("of a closed store is refused, and closing twice is no fault", () =>
      within(async ({ store }) => {
        await store.get("a");
        await store.close();
        await store.close();
        expect(store.state).toBe("closed");
        expect(await codeOf(store.get("a"))).toBe("closed");
        expect(() => store.subscribe("c", { message() {}, gap() {} }, new AbortController().signal)).toThrow(
          StoreError,
        );
      }));
  });
}
