import { expect, test } from "bun:test";
import { createMemoryState } from "../../src/store/memory-state.ts";

test("keys that nobody asks for any more go with later changes", () => {
  let nowMs = 0;
  const state = createMemoryState(() => nowMs);
  const change = (key: string) => {
    state.begin();
    state.set(key, "v", 100);
    state.settle();
  };
  for (let number = 0; number < 10_000; number++) change(`old ${number}`);
  expect(state.size).toBe(10_000);
  nowMs = 200;
  for (let number = 0; number < 5000; number++) change(`new ${number % 10}`);
  expect(state.size).toBe(10);
});

test("a hash that is left empty is no key", () => {
  const state = createMemoryState(() => 0);
  state.begin();
  state.hash("h").set("f", "1");
  state.hash("empty");
  state.settle();
  expect([state.has("h"), state.has("empty")]).toEqual([true, false]);
  state.hash("h").clear();
  state.settle();
  expect(state.size).toBe(0);
});
