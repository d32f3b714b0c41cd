import { describe, expect, test } from "bun:test";
import { createMemoryStore } from "../../src/store/memory.ts";
import { createStore } from "../../src/store/open.ts";
import { storeContract } from "./contract.ts";

function timed() {
  let nowMs = Date.now();
  const store = createMemoryStore({ now: () => nowMs });
  return {
    store,
    move: (ms: number) => {
      nowMs += ms;
    },
  };
}

storeContract("memory", async () => {
  const { store, move } = timed();
  return {
    store,
    other: store,
    pass: async (ms) => move(ms),
    [Symbol.asyncDispose]: () => store.close(),
  };
});

describe("a memory store", () => {
  test("is what a configuration without Redis gets", async () => {
    const store = createStore(null);
    expect(store.state).toBe("ready");
    await store.set("a", "1");
    expect(await store.get("a")).toBe("1");
  });

  test("takes a script's reply only as Redis would have it", async () => {
    const { store } = timed();
    const script = { name: "half", lua: "return 0.5", memory: () => 0.5, result: Number };
    await expect(store.script(script, { keys: ["a"], args: [] })).rejects.toThrow("whole numbers");
  });
});
