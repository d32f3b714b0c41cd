import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { Breaker, Permit, PROBE_LIMIT } from "../../src/service/breaker.ts";
import type { BreakerOptions } from "../../src/service/options.ts";

const OPTIONS: BreakerOptions = {
  maxRequests: 1000,
  maxPending: 256,
  failureRate: 0.5,
  minRequests: 4,
  openForMs: 10_000,
  slowCallRate: null,
  slowCallMs: 0,
};

function setup(options: Partial<BreakerOptions> = {}) {
  const clock = { ms: 5000 };
  const changes: string[] = [];
  const onChange = (state: string) => void changes.push(state);
  const breaker = new Breaker({ ...OPTIONS, ...options }, { nowMs: () => clock.ms, onChange });
  /** One request whose attempt ends so. */
  const run = (outcome: "success" | "failure" | "none", tookMs = 1) => {
    const permit = enter(breaker);
    if (outcome !== "none") permit.judge(outcome === "failure", tookMs);
    permit.leave();
  };
  return { breaker, changes, clock, run };
}

function enter(breaker: Breaker): Permit {
  const entered = breaker.enter();
  if (entered instanceof GatewayError) throw entered;
  return entered;
}

/** What a request is refused with, or "in". */
function asked(breaker: Breaker): string {
  const entered = breaker.enter();
  if (entered instanceof Permit) {
    entered.leave();
    return "in";
  }
  return `${entered.code} ${entered.retryAfter}`;
}

describe("a breaker's bound on requests in flight", () => {
  test("refuses one too many, and lets it in when another has left", () => {
    const { breaker } = setup({ maxRequests: 2 });
    const first = enter(breaker);
    enter(breaker);
    expect(asked(breaker)).toBe("overloaded 1");
    first.leave();
    expect(asked(breaker)).toBe("in");
    expect(breaker.state).toBe("closed");
  });
});

describe("a closed breaker", () => {
  test("opens when its share of failures is reached, and refuses with the time that is left", () => {
    const { breaker, changes, clock, run } = setup();
    for (const outcome of ["success", "success", "failure"] as const) run(outcome);
    expect(breaker.state).toBe("closed");
    run("failure");
    expect(changes).toEqual(["open"]);
    expect(asked(breaker)).toBe("circuit_open 10");
    clock.ms += 8500;
    expect(asked(breaker)).toBe("circuit_open 2");
  });

  test("stays closed below the least number of requests", () => {
    const { breaker, run } = setup();
    for (let i = 0; i < 3; i++) run("failure");
    expect(breaker.state).toBe("closed");
  });

  test("stays closed below its share", () => {
    const { breaker, run } = setup();
    for (let i = 0; i < 100; i++) run(i % 3 === 2 ? "failure" : "success");
    expect(breaker.state).toBe("closed");
  });

  test("counts nobody that is not to blame", () => {
    const { breaker, run } = setup();
    for (let i = 0; i < 50; i++) run("none");
    for (let i = 0; i < 3; i++) run("failure");
    expect(breaker.state).toBe("closed");
  });

  test("forgets what is older than ten seconds", () => {
    const { breaker, clock, run } = setup();
    for (let i = 0; i < 3; i++) run("failure");
    clock.ms += 10_000;
    run("failure");
    expect(breaker.state).toBe("closed");
    clock.ms += 9000;
    for (let i = 0; i < 2; i++) run("failure");
    expect(breaker.state).toBe("closed");
    run("failure");
    expect(breaker.state).toBe("open");
  });

  test("remembers within ten seconds", () => {
    const { breaker, clock, run } = setup();
    for (let i = 0; i < 4; i++) {
      run("failure");
      clock.ms += 3000;
    }
    expect(breaker.state).toBe("open");
  });

  test("opens for slow answers, where it is told what is slow", () => {
    const { breaker, run } = setup({ slowCallRate: 0.5, slowCallMs: 200 });
    for (const tookMs of [10, 199, 200]) run("success", tookMs);
    expect(breaker.state).toBe("closed");
    run("success", 5000);
    expect(breaker.state).toBe("open");
  });
});

/** A breaker that has opened, and whose time is over. */
function rested() {
  const parts = setup();
  for (let i = 0; i < 4; i++) parts.run("failure");
  parts.clock.ms += OPTIONS.openForMs;
  return parts;
}

describe("a breaker whose time is over", () => {
  test("lets a few requests through and no more", () => {
    const { breaker } = rested();
    for (let i = 0; i < PROBE_LIMIT; i++) enter(breaker);
    expect(breaker.state).toBe("half_open");
    expect(asked(breaker)).toBe("circuit_open 1");
  });

  test("closes when they succeed, with a clean slate", () => {
    const { breaker, changes, run } = rested();
    for (let i = 0; i < PROBE_LIMIT; i++) run("success");
    expect(changes).toEqual(["open", "half_open", "closed"]);
    for (let i = 0; i < 3; i++) run("failure");
    expect(breaker.state).toBe("closed");
  });

  test("opens again for its whole time when one fails", () => {
    const { breaker, changes, run } = rested();
    run("success");
    run("failure");
    expect(changes).toEqual(["open", "half_open", "open"]);
    expect(asked(breaker)).toBe("circuit_open 10");
  });

  test("gives the place of one whose client left to another", () => {
    const { breaker, run } = rested();
    for (let i = 0; i < PROBE_LIMIT * 3; i++) run("none");
    expect(breaker.state).toBe("half_open");
    for (let i = 0; i < PROBE_LIMIT; i++) run("success");
    expect(breaker.state).toBe("closed");
  });

  test("takes no word from requests that were let in before", () => {
    const { breaker, clock, run } = setup();
    const old = [enter(breaker), enter(breaker)];
    for (let i = 0; i < 4; i++) run("failure");
    clock.ms += OPTIONS.openForMs;
    run("success");
    for (const permit of old) {
      permit.judge(true, 1);
      permit.leave();
    }
    expect([breaker.state, breaker.inFlight]).toEqual(["half_open", 0]);
  });
});

test("a half-open breaker lets others in when its probes take as long as openFor, and these have no say then", () => {
  const { breaker, clock, run } = setup();
  for (let i = 0; i < 4; i++) run("failure");
  clock.ms += 10_000;
  const hanging = [enter(breaker), enter(breaker)];
  run("success");
  expect(asked(breaker)).toBe("circuit_open 1");
  clock.ms += 9999;
  expect(asked(breaker)).toBe("circuit_open 1");
  clock.ms += 1;
  run("success");
  for (const permit of hanging) permit.judge(true, 1);
  expect(breaker.state).toBe("half_open");
  for (const permit of hanging) permit.leave();
  run("success");
  expect([breaker.state, breaker.inFlight]).toEqual(["closed", 0]);
});
