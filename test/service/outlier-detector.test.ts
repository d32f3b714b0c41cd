import { describe, expect, test } from "bun:test";
import { createAvailability } from "../../src/service/availability.ts";
import type { OutlierOptions } from "../../src/service/options.ts";
import { createOutlierDetector } from "../../src/service/outlier-detector.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";

const OPTIONS: OutlierOptions = {
  consecutiveFailures: 3,
  intervalMs: 10_000,
  ejectForMs: 30_000,
  maxEjectedShare: 0.5,
  successRate: null,
};

interface One {
  readonly id: string;
  readonly weight: number;
  readonly pool: object;
}

function endpoints(count: number, weight = 1): readonly One[] {
  return Array.from({ length: count }, (_, at) => ({ id: `e${at}`, weight, pool: {} }));
}

/** A detector of so many endpoints, on a clock that is moved. */
function setup(count: number, options: Partial<OutlierOptions> = {}) {
  let nowMs = 1000;
  const wheel = new TimerWheel(() => nowMs);
  const all = endpoints(count);
  const told: string[] = [];
  const availability = createAvailability(() => {});
  const detector = createOutlierDetector(
    { ...OPTIONS, ...options },
    {
      wheel,
      nowMs: () => nowMs,
      availability,
      onEjected: ({ endpoint, cause, forMs }) => void told.push(`${endpoint} out ${cause} ${forMs}`),
      onReturned: (endpoint) => void told.push(`${endpoint} in`),
    },
  );
  detector.update(all);
  const one = (at: number): One => all[at] ?? { id: "none", weight: 0, pool: {} };
  return {
    all,
    detector,
    availability,
    told,
    one,
    out: () => all.filter((each) => availability.isOut(each, "ejected")).map(({ id }) => id),
    fail(at: number, times = OPTIONS.consecutiveFailures) {
      for (let i = 0; i < times; i++) detector.judge(one(at), true);
    },
    /** Moves time on, with a look now and then. */
    pass(ms: number) {
      for (let left = ms; left > 0; left -= 500) {
        nowMs += Math.min(500, left);
        wheel.advance();
      }
    },
  };
}

describe("an endpoint that fails", () => {
  test("is ejected after so many failures in a row, at once", () => {
    const { fail, out, told } = setup(4);
    fail(1, 2);
    expect(out()).toEqual([]);
    fail(1, 1);
    expect(out()).toEqual(["e1"]);
    expect(told).toEqual(["e1 out consecutive_failures 30000"]);
  });

  test("is not, when a success comes between", () => {
    const { detector, fail, one, out } = setup(4);
    for (let i = 0; i < 5; i++) {
      fail(1, 2);
      detector.judge(one(1), false);
    }
    expect(out()).toEqual([]);
  });

  test("returns when its time is over, with a clean slate", () => {
    const { fail, out, pass, told, detector } = setup(4);
    fail(1);
    pass(29_500);
    expect([out(), detector.ejected]).toEqual([["e1"], 1]);
    pass(1000);
    expect([out(), detector.ejected]).toEqual([[], 0]);
    expect(told.at(-1)).toBe("e1 in");
    fail(1, 2);
    expect(out()).toEqual([]);
  });

  test("is out for longer each time", () => {
    const { fail, pass, told } = setup(4);
    fail(1);
    pass(30_500);
    fail(1);
    pass(60_500);
    fail(1);
    expect(told.filter((line) => line.includes("out")).map((line) => line.split(" ")[3])).toEqual([
      "30000",
      "60000",
      "90000",
    ]);
  });

  test("is out for five minutes at most, unless ejectFor is longer", () => {
    const { fail, pass, told } = setup(4, { ejectForMs: 200_000 });
    fail(1);
    pass(200_500);
    fail(1);
    expect(told.at(-1)).toBe("e1 out consecutive_failures 300000");
    const longer = setup(4, { ejectForMs: 400_000 });
    longer.fail(1);
    expect(longer.told).toEqual(["e1 out consecutive_failures 400000"]);
  });

  test("is trusted again with every calm interval", () => {
    const { fail, pass, told } = setup(4);
    fail(1);
    pass(30_500);
    fail(1);
    pass(60_500);
    pass(40_000);
    fail(1);
    expect(told.at(-1)).toBe("e1 out consecutive_failures 30000");
  });

  test("says nothing more while it is out", () => {
    const { fail, told } = setup(4);
    fail(1, 20);
    expect(told).toHaveLength(1);
  });
});

describe("the share of endpoints that may be out", () => {
  test.each([
    [4, 0.5, 2],
    [3, 0.5, 1],
    [1, 0.5, 0],
    [9, 0.1, 1],
    [10, 0.1, 1],
    [29, 0.1, 2],
    [2, 0.1, 1],
    [3, 1, 3],
    [3, 0, 0],
  ])("of %d endpoints, %d, is %d", (count, maxEjectedShare, expected) => {
    const { detector, fail, out } = setup(count, { maxEjectedShare });
    for (let at = 0; at < count; at++) fail(at);
    expect([out().length, detector.ejected]).toEqual([expected, expected]);
  });

  test("lets the next one that fails out when one has returned", () => {
    const { fail, out, pass } = setup(2);
    fail(0);
    fail(1);
    expect(out()).toEqual(["e0"]);
    pass(30_500);
    expect(out()).toEqual([]);
    fail(1, 1);
    expect(out()).toEqual(["e1"]);
  });

  test("holds when the set shrinks: the first to return comes back at once", () => {
    const { all, detector, fail, out, pass } = setup(4);
    fail(0);
    pass(1000);
    fail(1);
    detector.update(all.slice(0, 2));
    expect([out(), detector.ejected]).toEqual([["e1"], 1]);
  });

  test("is taken of those that health checks do not hold out", () => {
    const { availability, fail, one, out } = setup(3);
    fail(0);
    availability.remove(one(0), "unhealthy");
    fail(1);
    fail(2);
    expect(out()).toEqual(["e0", "e1"]);
  });

  test("leaves the last one in that is well", () => {
    const { availability, fail, one, out } = setup(2);
    availability.remove(one(0), "unhealthy");
    fail(0);
    fail(1);
    expect(out()).toEqual([]);
  });

  test("holds when one that was ejected and unhealthy is well again: the first to return does so at once", () => {
    const { availability, detector, fail, one, out, pass } = setup(3);
    fail(0);
    availability.remove(one(0), "unhealthy");
    pass(1000);
    fail(1);
    availability.restore(one(0), "unhealthy");
    expect([out(), detector.ejected, availability.isAvailable(one(0))]).toEqual([["e1"], 1, true]);
  });

  test("forgets who left the service", () => {
    const { all, detector, fail } = setup(4);
    fail(0);
    detector.update(all.slice(1));
    expect(detector.ejected).toBe(0);
  });

  test("keeps the record of who stayed, under another weight too", () => {
    const { all, detector, fail, one } = setup(4);
    fail(1, 2);
    detector.update(all.map((each) => ({ ...each, weight: 5 })));
    detector.judge(one(1), true);
    expect(detector.ejected).toBe(1);
  });
});

describe("a comparison of success rates", () => {
  const successRate = { minEndpoints: 5, minRequests: 100, deviations: 1.9 };

  /** So many of a hundred requests fail, never two in a row. */
  function mixed({ detector, one }: ReturnType<typeof setup>, at: number, failures: number): void {
    for (let i = 0; i < 100; i++) {
      if (i % 2 === 0) detector.judge(one(at), i / 2 < failures);
      else detector.judge(one(at), false);
    }
  }

  test("ejects the one that succeeds far less often than the others", () => {
    const parts = setup(10, { successRate });
    for (let at = 0; at < 10; at++) mixed(parts, at, at === 7 ? 40 : at % 3);
    parts.pass(10_500);
    expect(parts.told).toEqual(["e7 out success_rate 30000"]);
  });

  test("ejects nobody when all are alike, or too few had requests enough", () => {
    const alike = setup(10, { successRate });
    for (let at = 0; at < 10; at++) mixed(alike, at, 30);
    alike.pass(10_500);
    expect(alike.told).toEqual([]);
    const few = setup(10, { successRate });
    for (let at = 0; at < 4; at++) mixed(few, at, at === 2 ? 50 : 0);
    few.pass(10_500);
    expect(few.told).toEqual([]);
  });

  test("begins anew with each interval", () => {
    const parts = setup(6, { successRate });
    for (let at = 0; at < 6; at++) mixed(parts, at, 0);
    parts.pass(10_500);
    for (let i = 0; i < 90; i++) parts.detector.judge(parts.one(2), i % 2 === 0);
    parts.pass(10_500);
    expect(parts.told).toEqual([]);
  });
});

test("a closed detector ejects nobody", () => {
  const { detector, fail, out } = setup(4);
  detector.close();
  fail(1);
  expect(out()).toEqual([]);
});
