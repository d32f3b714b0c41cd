import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { type BeatsOptions, createBeats } from "../../packages/mesh/src/beats.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Moves the clock, and lets what it started come to an end. */
async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

function beatsOf(step: BeatsOptions["step"], more: Partial<BeatsOptions> = {}) {
  return createBeats({ step, everyMs: 5000, random: () => 0.5, holdsProcess: false, ...more });
}

describe("the beats of a lease", () => {
  test("come a tenth earlier or later, by chance", async () => {
    for (const [random, ms] of [
      [0, 4500],
      [1, 5500],
    ] as const) {
      let count = 0;
      const beats = beatsOf(async () => ++count > 0, { random: () => random });
      await beats.now();
      await pass(ms - 1);
      expect(count).toBe(1);
      await pass(1);
      expect(count).toBe(2);
      await beats.stop();
    }
  });

  test("come every second after one that failed", async () => {
    let count = 0;
    const beats = beatsOf(async () => ++count > 2);
    await beats.now();
    await pass(1000);
    await pass(1000);
    expect(count).toBe(3);
    await pass(4999);
    expect(count).toBe(3);
    await beats.stop();
  });

  test("are never two at once: those asked for meanwhile are one that follows", async () => {
    const ends: ((isDone: boolean) => void)[] = [];
    const beats = beatsOf(() => new Promise((resolve) => void ends.push(resolve)));
    const answers = [beats.now(), beats.now(), beats.now()];
    await pass(60_000);
    expect(ends).toHaveLength(1);
    ends[0]?.(false);
    expect(await answers[0]).toBe(false);
    await pass(0);
    expect(ends).toHaveLength(2);
    ends[1]?.(true);
    expect(await Promise.all(answers)).toEqual([false, true, true]);
    expect(ends).toHaveLength(2);
    await beats.stop();
  });

  test("that are wanted soon are not put off by being wanted again", async () => {
    let count = 0;
    const beats = beatsOf(async () => ++count > 0);
    await beats.now();
    for (let asked = 0; asked < 30; asked++) {
      beats.soon();
      await pass(100);
    }
    expect(count).toBeGreaterThanOrEqual(3);
    expect(count).toBeLessThanOrEqual(4);
    await beats.stop();
  });

  test("end with the last one that is under way, and come no more", async () => {
    const end = Promise.withResolvers<boolean>();
    let count = 0;
    const beats = beatsOf(() => {
      count++;
      return end.promise;
    });
    void beats.now();
    let isStopped = false;
    const stopped = beats.stop().then(() => {
      isStopped = true;
    });
    await pass(0);
    expect(isStopped).toBe(false);
    end.resolve(true);
    await stopped;
    expect(await beats.now()).toBe(false);
    beats.soon();
    await pass(60_000);
    expect(count).toBe(1);
  });
});
