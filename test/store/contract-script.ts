import { describe, expect, test } from "bun:test";
import type { Store, StoreScript } from "../../src/store/store.ts";
import type { Within } from "./contract-world.ts";
import { codeOf } from "./support.ts";

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

/** What holds for scripts. */
export function scriptContract(name: string, within: Within): void {
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
}
