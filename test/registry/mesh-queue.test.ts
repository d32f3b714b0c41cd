import { describe, expect, test } from "bun:test";
import { createQueue } from "../../src/registry/mesh-queue.ts";
import { eventually } from "../support/load.ts";

/** A queue of two at once, whose work ends when it is told. */
function manual() {
  const begun: string[] = [];
  const endings = new Map<string, (restMs: number) => void>();
  const queue = createQueue<string>(2, (item) => {
    begun.push(item);
    return new Promise<number>((resolve) => endings.set(item, resolve));
  });
  return {
    queue,
    begun,
    async end(item: string) {
      endings.get(item)?.(0);
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

describe("a queue of readings", () => {
  test("begins so many at once, in their order, and the next when one ends", async () => {
    const { queue, begun, end } = manual();
    for (const item of ["a", "b", "c", "d"]) queue.add(item);
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  test("takes what is in a hurry in turn with the first of those that wait", async () => {
    const { queue, begun, end } = manual();
    for (const item of ["a", "b", "c", "d", "e"]) queue.add(item);
    queue.hurry("e");
    queue.hurry("new");
    queue.add("e");
    for (const item of ["a", "b", "e", "c"]) await end(item);
    expect(begun).toEqual(["a", "b", "e", "c", "new", "d"]);
  });

  test("works once more on what is in a hurry while it is worked on", async () => {
    const { queue, begun, end } = manual();
    queue.add("a");
    queue.hurry("a");
    queue.hurry("a");
    expect(begun).toEqual(["a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
  });

  test("forgets what is dropped, and begins nothing once it is stopped", async () => {
    const { queue, begun, end } = manual();
    for (const item of ["a", "b", "c", "d"]) queue.add(item);
    queue.hurry("e");
    for (const item of ["c", "e"]) queue.drop(item);
    await end("a");
    expect(begun).toEqual(["a", "b", "d"]);
    queue.add("f");
    queue.stop();
    await end("b");
    expect(begun).toEqual(["a", "b", "d"]);
  });

  test.each(["add", "hurry"] as const)(
    "lets an item that rests wait for its next turn (%s), and nobody else",
    async (how) => {
      const worked: string[] = [];
      const beganAt: number[] = [];
      const queue = createQueue<string>(1, async (item) => {
        worked.push(item);
        if (item === "large") beganAt.push(performance.now());
        return item === "large" ? 200 : 0;
      });
      const flood = setInterval(() => queue[how]("large"), 1);
      queue.add("large");
      queue.add("small");
      await eventually(() => beganAt.length === 3, "three turns");
      clearInterval(flood);
      queue.stop();
      expect(worked).toEqual(["large", "small", "large", "large"]);
      expect((beganAt[2] ?? 0) - (beganAt[0] ?? 0)).toBeGreaterThanOrEqual(398);
    },
  );
});
