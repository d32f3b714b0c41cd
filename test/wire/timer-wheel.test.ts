import { afterEach, describe, expect, test } from "bun:test";
import { Timer, TimerWheel } from "../../src/wire/timer-wheel.ts";
import { seededRandom } from "../support/chance.ts";

const TICK_MS = 50;
const HORIZON_MS = 512 * TICK_MS;

/** A wheel whose clock stands until it is moved; the wheel's own interval then finds nothing to do. */
class MovedWheel {
  nowMs: number;
  readonly wheel: TimerWheel;

  constructor(startMs = 12_345) {
    this.nowMs = startMs;
    this.wheel = new TimerWheel(() => this.nowMs);
  }

  /** Lets time pass tick by tick, as the wheel's interval would. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= TICK_MS) this.leap(Math.min(TICK_MS, left));
  }

  /** Lets time pass at once, as when the process was held up. */
  leap(ms: number): void {
    this.nowMs += ms;
    this.wheel.advance();
  }
}

class Alarm extends Timer {
  readonly firedAt: number[] = [];
  readonly #clock: MovedWheel;
  readonly #onFire: (alarm: Alarm) => void;

  constructor(clock: MovedWheel, onFire: (alarm: Alarm) => void = () => {}) {
    super();
    this.#clock = clock;
    this.#onFire = onFire;
    opened.push([clock, this]);
  }

  override fire(): void {
    this.firedAt.push(this.#clock.nowMs);
    this.#onFire(this);
  }
}

let opened: [MovedWheel, Alarm][] = [];

// A wheel with nothing armed stops its interval at the next tick.
afterEach(() => {
  for (const [clock, alarm] of opened) clock.wheel.disarm(alarm);
  for (const [clock] of opened) clock.leap(TICK_MS);
  opened = [];
});

describe("a deadline", () => {
  for (const ms of [1, 49, 50, 51, 99, 100, 1000, 25_549, HORIZON_MS, HORIZON_MS + 1, 60_000, 3_600_000]) {
    for (const startMs of [0, 1, 50, 12_345, 12_349.99]) {
      test(`of ${ms} ms, set at ${startMs}, fires once, not early and at most two ticks late`, () => {
        const clock = new MovedWheel(startMs);
        const alarm = new Alarm(clock);
        clock.wheel.arm(alarm, ms);
        clock.pass(ms + 4 * TICK_MS);
        expect(alarm.firedAt).toHaveLength(1);
        const lateMs = (alarm.firedAt[0] ?? 0) - startMs - ms;
        expect(lateMs).toBeGreaterThanOrEqual(0);
        expect(lateMs).toBeLessThanOrEqual(2 * TICK_MS);
      });
    }
  }

  test.each([0, -1])("of %d ms is none", (ms) => {
    const clock = new MovedWheel();
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, ms);
    clock.pass(1000);
    expect(alarm.firedAt).toEqual([]);
    expect(alarm.dueAt).toBe(0);
  });

  test("set to 0 is off, where it was on", () => {
    const clock = new MovedWheel();
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, 100);
    clock.wheel.arm(alarm, 0);
    clock.pass(1000);
    expect(alarm.firedAt).toEqual([]);
  });

  test("is told in `dueAt` while it stands, and 0 afterwards", () => {
    const clock = new MovedWheel(1000);
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, 100);
    expect(alarm.dueAt).toBe(1100);
    clock.pass(200);
    expect(alarm.dueAt).toBe(0);
  });

  test("that is moved later fires at the later time only", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, 100);
    clock.pass(50);
    clock.wheel.arm(alarm, 1000);
    clock.pass(990);
    expect(alarm.firedAt).toEqual([]);
    clock.pass(160);
    expect(alarm.firedAt).toEqual([expect.any(Number)]);
    expect(alarm.firedAt[0]).toBeWithin(1050, 1151);
  });

  test("that is moved earlier fires at the earlier time only", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, 10_000);
    clock.pass(50);
    clock.wheel.arm(alarm, 100);
    clock.pass(20_000);
    expect(alarm.firedAt).toEqual([expect.any(Number)]);
    expect(alarm.firedAt[0]).toBeWithin(150, 251);
  });

  test("that progress moves on a thousand times fires once progress stops", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock);
    for (let i = 0; i < 1000; i++) {
      clock.wheel.arm(alarm, 200);
      clock.pass(50);
    }
    expect(alarm.firedAt).toEqual([]);
    clock.pass(300);
    expect(alarm.firedAt).toHaveLength(1);
  });

  test("that passed while the process was held up fires at once, with all others", () => {
    const clock = new MovedWheel(0);
    const alarms = [100, 5000, 25_000, 60_000, 119_000].map((ms) => {
      const alarm = new Alarm(clock);
      clock.wheel.arm(alarm, ms);
      return alarm;
    });
    const later = new Alarm(clock);
    clock.wheel.arm(later, 121_000);
    clock.leap(120_000);
    expect(alarms.map(({ firedAt }) => firedAt)).toEqual(alarms.map(() => [120_000]));
    expect(later.firedAt).toEqual([]);
    clock.pass(1100);
    expect(later.firedAt).toHaveLength(1);
  });

  test("that is set when the clock has run ahead of the last tick is not early", () => {
    const clock = new MovedWheel(0);
    const first = new Alarm(clock);
    const second = new Alarm(clock);
    clock.wheel.arm(first, 10_000);
    clock.nowMs = 3000;
    clock.wheel.arm(second, 100);
    clock.leap(60);
    expect(second.firedAt).toEqual([]);
    clock.pass(140);
    expect(second.firedAt).toHaveLength(1);
  });

  test("is kept apart on an idle wheel that starts again", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock);
    clock.wheel.arm(alarm, 100);
    clock.pass(300);
    clock.nowMs += 1_000_000;
    clock.wheel.arm(alarm, 100);
    const setAt = clock.nowMs;
    clock.pass(300);
    expect(alarm.firedAt).toHaveLength(2);
    expect(alarm.firedAt[1]).toBeWithin(setAt + 100, setAt + 201);
  });
});

describe("while deadlines fire", () => {
  test("a timer may set itself again, and comes once each time", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock, (self) => {
      if (self.firedAt.length < 5) clock.wheel.arm(self, 1000);
    });
    clock.wheel.arm(alarm, 1000);
    clock.pass(10_000);
    expect(alarm.firedAt).toHaveLength(5);
    for (const [at, firedAt] of alarm.firedAt.entries())
      expect(firedAt - (alarm.firedAt[at - 1] ?? 0)).toBeWithin(1000, 1101);
  });

  test("a timer that sets itself to 1 ms does not fire twice in one tick", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock, (self) => clock.wheel.arm(self, 1));
    clock.wheel.arm(alarm, 1);
    for (let tick = 1; tick <= 20; tick++) {
      clock.leap(TICK_MS);
      expect(alarm.firedAt.length).toBeLessThanOrEqual(tick);
    }
    expect(new Set(alarm.firedAt).size).toBe(alarm.firedAt.length);
    expect(alarm.firedAt.length).toBeGreaterThanOrEqual(10);
  });

  test("one may switch another off that is due at the same instant", () => {
    const clock = new MovedWheel(0);
    const alarms: Alarm[] = [];
    const offOthers = (self: Alarm) => {
      for (const alarm of alarms) if (alarm !== self) clock.wheel.disarm(alarm);
    };
    for (let i = 0; i < 3; i++) alarms.push(new Alarm(clock, offOthers));
    for (const alarm of alarms) clock.wheel.arm(alarm, 100);
    clock.pass(1000);
    expect(alarms.flatMap(({ firedAt }) => firedAt)).toHaveLength(1);
  });

  test("one may move another to later that is due at the same instant", () => {
    const clock = new MovedWheel(0);
    const alarms: Alarm[] = [];
    let hasMoved = false;
    const moveOther = (self: Alarm) => {
      if (hasMoved) return;
      hasMoved = true;
      for (const alarm of alarms) if (alarm !== self) clock.wheel.arm(alarm, 500);
    };
    for (let i = 0; i < 2; i++) alarms.push(new Alarm(clock, moveOther));
    for (const alarm of alarms) clock.wheel.arm(alarm, 100);
    clock.pass(300);
    expect(alarms.flatMap(({ firedAt }) => firedAt)).toHaveLength(1);
    clock.pass(500);
    expect(alarms.map(({ firedAt }) => firedAt.length)).toEqual([1, 1]);
  });

  test("one may switch itself off without harm", () => {
    const clock = new MovedWheel(0);
    const alarm = new Alarm(clock, (self) => clock.wheel.disarm(self));
    const other = new Alarm(clock);
    clock.wheel.arm(alarm, 100);
    clock.wheel.arm(other, 100);
    clock.pass(500);
    expect([alarm.firedAt.length, other.firedAt.length]).toEqual([1, 1]);
  });
});

test("of thousands of timers, set, moved and switched off at random, each fires when it is due", () => {
  const random = seededRandom(99);
  const clock = new MovedWheel(777);
  const alarms = Array.from({ length: 5000 }, () => new Alarm(clock));
  const dueAt = new Map<Alarm, number>();
  const expected = new Map<Alarm, number[]>(alarms.map((alarm) => [alarm, []]));
  for (let step = 0; step < 400; step++) {
    for (let change = 0; change < 200; change++) {
      const alarm = alarms[Math.floor(random() * alarms.length)];
      if (alarm === undefined) continue;
      const ms = random() < 0.1 ? 0 : 1 + Math.floor(random() ** 3 * 70_000);
      clock.wheel.arm(alarm, ms);
      if (ms === 0) dueAt.delete(alarm);
      else dueAt.set(alarm, clock.nowMs + ms);
    }
    clock.leap(random() < 0.02 ? Math.floor(random() * 30_000) : TICK_MS + Math.floor(random() * 10));
    for (const [alarm, at] of dueAt) {
      const isFired = alarm.firedAt.length > (expected.get(alarm)?.length ?? 0);
      if (isFired) {
        expected.get(alarm)?.push(clock.nowMs);
        dueAt.delete(alarm);
      }
      if (isFired ? at > clock.nowMs : at + 2 * TICK_MS <= clock.nowMs) {
        expect({ step, isFired, at, now: clock.nowMs }).toEqual({ step, isFired: !isFired, at, now: clock.nowMs });
      }
    }
  }
  expect(alarms.map(({ firedAt }) => firedAt)).toEqual(alarms.map((alarm) => expected.get(alarm) ?? []));
  expect(alarms.reduce((sum, { firedAt }) => sum + firedAt.length, 0)).toBeGreaterThan(5000);
});
