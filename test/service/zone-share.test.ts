import { describe, expect, test } from "bun:test";
import { ownShare, suffices } from "../../src/service/zone-share.ts";

const of = (available: number, total: number) => ({ available, total });

describe("the share of the gateway's zone", () => {
  test.each([
    ["is everything while all of it is there", of(10, 10), of(20, 20), 1],
    ["is everything while five in seven are", of(5, 7), of(20, 20), 1],
    ["is 1.4 times what is there below that", of(5, 10), of(20, 20), 0.7],
    ["is that of weights, not of numbers", of(1, 7), of(2, 2), 0.2],
    ["is nothing when none is there", of(0, 10), of(1, 20), 0],
    ["is nothing when the zone has no endpoint", of(0, 0), of(20, 20), 0],
    ["is everything when no other zone has one there", of(1, 10), of(0, 20), 1],
    ["is everything when there is no other zone", of(1, 10), of(0, 0), 1],
    ["is its part of both when both are short", of(2, 10), of(3, 10), 0.4],
    ["is nothing when nothing is there at all", of(0, 10), of(0, 10), 0],
  ])("%s", (_, own, others, share) => {
    expect(ownShare(own, others)).toBeCloseTo(share, 12);
  });

  test("has no leap: one endpoint of a hundred moves it by little", () => {
    for (const others of [0, 10, 50, 80, 100]) {
      for (let own = 2; own <= 100; own++) {
        const [before, after] = [ownShare(of(own - 1, 100), of(others, 100)), ownShare(of(own, 100), of(others, 100))];
        expect(after).toBeGreaterThanOrEqual(before);
        expect(after - before).toBeLessThan(others === 0 ? 1e-9 : 0.1);
      }
    }
  });
});

describe("zones together", () => {
  test.each([
    ["are enough when others stand in for one that is gone", of(0, 10), of(8, 10), true],
    ["are enough when each has a half and more", of(4, 10), of(4, 10), true],
    ["are not when both are short", of(3, 10), of(4, 10), false],
    ["say nothing where the gateway's has no endpoint", of(0, 0), of(10, 10), false],
  ])("%s", (_, own, others, isEnough) => {
    expect(suffices(own, others)).toBe(isEnough);
  });
});
