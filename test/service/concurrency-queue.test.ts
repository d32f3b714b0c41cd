import { describe, expect, test } from "bun:test";
import type { Priority } from "../../src/service/concurrency-options.ts";
import { ConcurrencyQueue, PRIORITIES, type QueueItem } from "../../src/service/concurrency-queue.ts";

class Item implements QueueItem<Item> {
  older: Item | null = null;
  newer: Item | null = null;
  readonly priority: Priority;
  readonly name: string;

  constructor(name: string, priority: Priority) {
    this.name = name;
    this.priority = priority;
  }
}

function setup(size: number) {
  const clock = { ms: 0 };
  const queue = new ConcurrencyQueue<Item>({ size, timeoutMs: 500 }, () => clock.ms);
  /** Adds items such as `h1` or `n2`; tells those that have no place. */
  const add = (...names: readonly string[]) =>
    names.flatMap((name) => {
      const priority = PRIORITIES.find((one) => one.startsWith(name[0] ?? "?")) ?? "normal";
      return queue.add(new Item(name, priority))?.name ?? [];
    });
  const takeAll = () => {
    const names: string[] = [];
    for (let item = queue.take(); item !== null; item = queue.take()) names.push(item.name);
    return names;
  };
  return { clock, queue, add, takeAll };
}

describe("a queue of requests", () => {
  test("lets high in before normal before low, and the oldest of each first", () => {
    const { add, takeAll } = setup(16);
    expect(add("l1", "n1", "h1", "n2", "l2", "h2")).toEqual([]);
    expect(takeAll()).toEqual(["h1", "h2", "n1", "n2", "l1", "l2"]);
  });

  test("sheds the youngest of the lowest priority for a higher one when it is full", () => {
    const { add, takeAll } = setup(4);
    add("l1", "l2", "n1", "n2");
    expect(add("n3", "h1", "h2", "l3", "n4")).toEqual(["l2", "l1", "n3", "l3", "n4"]);
    expect(takeAll()).toEqual(["h1", "h2", "n1", "n2"]);
  });

  test("keeps a place in eight for others than high", () => {
    const { add, queue } = setup(16);
    for (let i = 0; i < 20; i++) add("h");
    expect([queue.size, queue.count("high")]).toEqual([14, 14]);
    expect(add("n1", "n2", "n3", "h")).toEqual(["n3", "h"]);
    expect(queue.count("normal")).toBe(2);
  });

  test("gives one turn in eight to normal, however many of high come", () => {
    const { add, queue } = setup(32);
    let served = 0;
    for (let i = 0; i < 800; i++) {
      add("h", "h", "n");
      if (queue.take()?.priority === "normal") served++;
    }
    expect(served).toBeGreaterThanOrEqual(95);
    expect(served).toBeLessThanOrEqual(105);
  });

  test("lets the newest in first once some have waited on end for as long as anybody may", () => {
    const { add, queue, clock, takeAll } = setup(16);
    add("n1");
    clock.ms = 400;
    add("n2", "n3");
    expect(queue.take()?.name).toBe("n1");
    clock.ms = 500;
    add("n4");
    expect(queue.take()?.name).toBe("n4");
    expect(takeAll()).toEqual(["n3", "n2"]);
    // Once empty, it begins anew.
    add("n5", "n6");
    expect(takeAll()).toEqual(["n5", "n6"]);
  });

  test("has a place even where it has only one", () => {
    const { add } = setup(1);
    expect(add("n1", "h1", "h2")).toEqual(["n1", "h2"]);
  });

  test("holds to its order and its bounds through whatever happens", () => {
    let state = 7;
    const next = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 8) % below;
    };
    for (let round = 0; round < 40; round++) {
      const size = 1 + next(20);
      const { queue, clock } = setup(size);
      const inside = new Set<Item>();
      for (let step = 0; step < 500; step++) {
        clock.ms += next(40);
        const action = next(10);
        const some = [...inside][next(Math.max(1, inside.size))];
        if (action < 6) {
          const item = new Item(`${step}`, PRIORITIES[next(3)] ?? "normal");
          const youngest = (priority: Priority) => [...inside].filter((one) => one.priority === priority).at(-1);
          const before = inside.size;
          const out = queue.add(item);
          if (out !== item) inside.add(item);
          if (out !== null && out !== item) {
            expect(before).toBe(size);
            expect(PRIORITIES.indexOf(out.priority)).toBeGreaterThan(PRIORITIES.indexOf(item.priority));
            expect(out).toBe(youngest(out.priority) ?? item);
            inside.delete(out);
          }
        } else if (action < 8) {
          const taken = queue.take();
          expect(taken === null).toBe(inside.size === 0);
          if (taken === null) continue;
          const isBefore = (one: Item) => PRIORITIES.indexOf(one.priority) < PRIORITIES.indexOf(taken.priority);
          // But for normal's share of the turns nobody of a higher priority was left waiting.
          if (taken.priority !== "normal") expect([...inside].some(isBefore)).toBe(false);
          const peers = [...inside].filter(({ priority }) => priority === taken.priority);
          expect([peers[0], peers.at(-1)]).toContain(taken);
          inside.delete(taken);
        } else if (some !== undefined) {
          queue.remove(some);
          inside.delete(some);
        }
        expect(queue.size).toBe(inside.size);
        expect(queue.size).toBeLessThanOrEqual(size);
        for (const priority of PRIORITIES)
          expect(queue.count(priority)).toBe([...inside].filter((one) => one.priority === priority).length);
      }
    }
  });
});
