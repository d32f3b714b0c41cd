import { expect, test } from "bun:test";
import { HealthCheck, type Verdict } from "../../src/service/health-check.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";

/** Checks of one endpoint on a clock that is moved; `chance` is what chance gives. */
function checked({ healthyAfter = 2, unhealthyAfter = 3, chance = 0.5 } = {}) {
  let nowMs = 0;
  const wheel = new TimerWheel(() => nowMs);
  const beganAt: number[] = [];
  const changes: string[] = [];
  const state = { cancelled: 0, closed: 0 };
  let told: ((verdict: Verdict) => void) | null = null;
  const check = new HealthCheck({
    options: { intervalMs: 10_000, healthyAfter, unhealthyAfter },
    wheel,
    random: () => chance,
    probe: {
      begin(tell) {
        beganAt.push(nowMs);
        told = tell;
        return () => void state.cancelled++;
      },
      close: () => void state.closed++,
    },
    onVerdict() {},
    onChange: (isHealthy, { reason }) => void changes.push(isHealthy ? "healthy" : reason),
  });
  const pass = (ms: number) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += 50;
      wheel.advance();
    }
  };
  /** Lets the next check begin and ends it so. */
  const answer = (result: Verdict["result"]) => {
    const before = beganAt.length;
    while (beganAt.length === before) pass(50);
    told?.({ result, reason: result === "success" ? "" : result });
  };
  return { check, pass, answer, beganAt, changes, state };
}

test("the first check comes within an interval, those after it an interval apart, a tenth to either side", () => {
  for (const [chance, first, next] of [
    [0, 50, 9000],
    [0.5, 5000, 10_000],
    [0.999, 10_000, 11_000],
  ] as const) {
    const { check, answer, beganAt } = checked({ chance });
    check.start();
    answer("success");
    answer("success");
    const [at = 0, then = 0] = beganAt;
    expect(at).toBeGreaterThanOrEqual(first - 50);
    expect(at).toBeLessThanOrEqual(first + 100);
    expect(then - at).toBeGreaterThanOrEqual(next - 50);
    expect(then - at).toBeLessThanOrEqual(next + 100);
    check.stop();
  }
});

test("no check begins while one is under way", () => {
  const { check, pass, beganAt } = checked();
  check.start();
  pass(100_000);
  expect(beganAt.length).toBe(1);
  check.stop();
});

test("so many failures in a row take an endpoint out, so many successes bring it back, and each is told once", () => {
  const { check, answer, changes } = checked();
  check.start();
  const steps: readonly (readonly [Verdict["result"], string])[] = [
    ["success", ""],
    ["failure", ""],
    ["timeout", ""],
    ["success", ""],
    ["failure", ""],
    ["failure", ""],
    ["timeout", "timeout"],
    ["failure", "timeout"],
    ["success", "timeout"],
    ["failure", "timeout"],
    ["success", "timeout"],
    ["success", "timeout,healthy"],
    ["success", "timeout,healthy"],
  ];
  for (const [at, [result, said]] of steps.entries()) {
    answer(result);
    expect([at, changes.join()]).toEqual([at, said]);
  }
  check.stop();
});

test("an endpoint whose very first check fails is out at once", () => {
  const { check, answer, changes } = checked();
  check.start();
  answer("failure");
  expect(changes).toEqual(["failure"]);
  check.stop();
});

test("a check that is under way is called off at the end, and none follows", () => {
  const { check, pass, beganAt, state } = checked();
  check.start();
  pass(6000);
  check.stop();
  pass(60_000);
  expect([beganAt.length, state.cancelled, state.closed]).toEqual([1, 1, 1]);
});
