import { expect, test } from "bun:test";
import { createQueue } from "../../src/registry/mesh-queue.ts";
import { eventually } from "../support/load.ts";

test("an item that rests waits for its next turn, and nobody else does", async () => {
  const worked: string[] = [];
  const beganAt: number[] = [];
  const queue = createQueue<string>(1, async (item) => {
    worked.push(item);
    if (item === "large") beganAt.push(performance.now());
    return item === "large" ? 200 : 0;
  });
  const flood = setInterval(() => queue.add("large"), 1);
  queue.add("large");
  queue.add("small");
  await eventually(() => beganAt.length === 3, "three turns");
  clearInterval(flood);
  queue.stop();
  expect(worked).toEqual(["large", "small", "large", "large"]);
  expect((beganAt[2] ?? 0) - (beganAt[0] ?? 0)).toBeGreaterThanOrEqual(398);
});
