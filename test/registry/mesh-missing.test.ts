import { describe, expect, test } from "bun:test";
import { createMissing } from "../../src/registry/mesh-missing.ts";
import type { EndpointJudge, EndpointSpec } from "../../src/registry/registry.ts";

function endpoint(id: string, port: number): EndpointSpec {
  return { id, url: `http://127.0.0.1:${port}`, weight: 1 };
}

const [A, B, C] = [endpoint("a", 1), endpoint("b", 2), endpoint("c", 3)];

function setup(...judges: readonly EndpointJudge[]) {
  let nowMs = 1_000_000;
  const trust = { doubtedAt: Number.NEGATIVE_INFINITY };
  const missing = createMissing({ trust, now: () => nowMs, judges: () => judges });
  return {
    missing,
    doubt: () => {
      trust.doubtedAt = nowMs;
    },
    /** Ids of those that stay of a, b and c when these were read, so long after. */
    after: (ms: number, ...read: readonly EndpointSpec[]) => {
      nowMs += ms;
      return missing.stay(read, [A, B, C]).map(({ id }) => id);
    },
  };
}

describe("an endpoint that is missing", () => {
  test("is gone when nobody doubts", () => {
    expect(setup(() => true).after(0, A)).toEqual([]);
  });

  test("after a doubt stays for 15 s where no checks are made", () => {
    const { doubt, after } = setup();
    doubt();
    expect(after(0, A)).toEqual(["b", "c"]);
    expect(after(14_999)).toEqual(["a", "b", "c"]);
    expect(after(1)).toEqual([]);
  });

  test("stays five minutes where checks are made and pass", () => {
    const { doubt, after } = setup(() => true);
    doubt();
    expect(after(299_999, A)).toEqual(["b", "c"]);
    expect(after(1)).toEqual([]);
  });

  test("goes at once when its checks fail, within the grace too", () => {
    const failing = new Set(["b"]);
    const { doubt, after } = setup(({ id }) => !failing.has(id));
    doubt();
    expect(after(0)).toEqual(["a", "c"]);
    failing.add("c");
    expect(after(60_000)).toEqual(["a"]);
  });

  test("stays while one of two that check it is answered", () => {
    const { doubt, after } = setup(
      () => false,
      ({ id }) => id === "a",
    );
    doubt();
    expect(after(0)).toEqual(["a"]);
  });

  test("left when it was read since the doubt, and must be doubted anew to stay", () => {
    const { missing, doubt, after } = setup(() => true);
    doubt();
    missing.seen(["a", "b"]);
    expect(after(1000, A)).toEqual(["c"]);
    doubt();
    expect(after(0, A)).toEqual(["b", "c"]);
  });

  test("gives way to one at its place", () => {
    const { doubt, after } = setup();
    doubt();
    expect(after(0, endpoint("new", 2), endpoint("c", 9))).toEqual(["a"]);
  });
});
