import { describe, expect, test } from "bun:test";
import type { Within } from "./contract-world.ts";

/** What holds for keys and values. */
export function keyContract(name: string, within: Within): void {
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
}

/** What holds for compareAndSet. */
export function compareContract(name: string, within: Within): void {
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
}
