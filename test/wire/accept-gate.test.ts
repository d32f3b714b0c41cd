import { describe, expect, test } from "bun:test";
import { AcceptGate } from "../../src/wire/accept-gate.ts";
import type { Acceptor } from "../../src/wire/acceptor.ts";

/** An acceptor that only notes what it is told; `canResume` false is a system without descriptors. */
function noting(canResume = () => true): Acceptor {
  let isPaused = false;
  return {
    port: 0,
    get isPaused() {
      return isPaused;
    },
    pause() {
      isPaused = true;
      return true;
    },
    resume() {
      if (canResume()) isPaused = false;
      return !isPaused;
    },
    stop() {},
  };
}

function gateOf(...acceptors: readonly Acceptor[]): AcceptGate {
  const gate = new AcceptGate();
  for (const acceptor of acceptors) gate.add(acceptor);
  return gate;
}

function enter(gate: AcceptGate, count: number, limit: number): void {
  for (let i = 0; i < count; i++) {
    if (gate.enter("a", limit, null) !== null) {
      gate.leave("a");
      gate.turnedAway++;
    }
    gate.settle(limit);
  }
}

describe("accepting", () => {
  test("goes on at the limit while some are told so, then rests, and goes on when half of them have left", () => {
    const acceptor = noting();
    const gate = gateOf(acceptor);
    enter(gate, 100 + 63, 100);
    expect([gate.open, gate.turnedAway, acceptor.isPaused]).toEqual([100, 63, false]);
    enter(gate, 1, 100);
    expect([acceptor.isPaused, gate.canTurnAway]).toEqual([true, false]);
    gate.turnedAway = 33;
    gate.settle(100);
    expect(acceptor.isPaused).toBe(true);
    gate.turnedAway = 32;
    gate.settle(100);
    expect(acceptor.isPaused).toBe(false);
  });

  test("rests at the most that there may be in any case, and goes on when there is some room again", () => {
    const acceptor = noting();
    const gate = gateOf(acceptor);
    gate.most = 32;
    enter(gate, 32, 1000);
    expect(acceptor.isPaused).toBe(true);
    gate.leave("a");
    gate.settle(1000);
    expect(acceptor.isPaused).toBe(true);
    gate.leave("a");
    gate.settle(1000);
    expect(acceptor.isPaused).toBe(false);
  });

  test("rests while it is held, also for a listener that is added meanwhile", () => {
    const [first, second] = [noting(), noting()];
    const gate = gateOf(first);
    gate.isHeld = true;
    gate.settle(10);
    gate.add(second);
    expect([first.isPaused, second.isPaused]).toEqual([true, true]);
    gate.isHeld = false;
    gate.settle(10);
    expect([first.isPaused, second.isPaused, gate.isPaused]).toEqual([false, false, false]);
  });

  test("is tried again at the next look where the system had no descriptor for it", () => {
    let hasDescriptors = false;
    const acceptor = noting(() => hasDescriptors);
    const gate = gateOf(acceptor);
    gate.isHeld = true;
    gate.settle(10);
    gate.isHeld = false;
    gate.settle(10);
    expect([acceptor.isPaused, gate.isPaused]).toEqual([true, true]);
    hasDescriptors = true;
    gate.settle(10);
    expect([acceptor.isPaused, gate.isPaused]).toEqual([false, false]);
  });
});

test("a client's own limit is counted by its address", () => {
  const gate = new AcceptGate();
  expect([gate.enter("a", 9, 1), gate.enter("b", 9, 1), gate.enter("a", 9, 1)]).toEqual([null, null, "client_limit"]);
  gate.leave("a");
  gate.leave("a");
  expect([gate.open, gate.byAddress.get("a")]).toEqual([1, undefined]);
});
