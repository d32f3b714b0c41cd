import { describe, expect, test } from "bun:test";
import { StoreError } from "../../src/store/store-error.ts";
import { eventually } from "../support/load.ts";
import type { Within } from "./contract-world.ts";
import { codeOf, follow } from "./support.ts";

/** What holds for channels. */
export function channelContract(name: string, within: Within): void {
  describe(`${name}: a channel`, () => {
    test("brings what is published to all who follow it, and to nobody else", () =>
      within(async ({ store, other }) => {
        await using a = follow(store, "news");
        await using b = follow(other, "news");
        await using c = follow(store, "else");
        await Promise.all([a.standing(1), b.standing(1), c.standing(1)]);
        for (const text of ["1", "2", "ä\0"]) await store.publish("news", text);
        await other.publish("else", "4");
        expect((await a.texts(3)).toSorted()).toEqual(["1", "2", "ä\0"]);
        expect((await b.texts(3)).toSorted()).toEqual(["1", "2", "ä\0"]);
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
        // In a Cluster what was published before may still be on its way from another server.
        await eventually(() => again.seen.at(-1) === "2", "the second message");
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
}

/** What holds for every call. */
export function callContract(name: string, within: Within): void {
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
