import { expect, test } from "bun:test";
import { type Absence, createAvailability, usable } from "../../src/service/availability.ts";

const member = (id: string, weight = 1) => ({ id, weight, pool: {} });

test("an endpoint is out while there is one reason, and changes are told once", () => {
  let changes = 0;
  const availability = createAvailability(() => void changes++);
  const one = member("a");
  const steps: readonly [keyof typeof availability & ("remove" | "restore"), Absence, boolean, number][] = [
    ["restore", "ejected", true, 0],
    ["remove", "unhealthy", false, 1],
    ["remove", "unhealthy", false, 1],
    ["remove", "ejected", false, 1],
    ["restore", "unhealthy", false, 1],
    ["restore", "ejected", true, 2],
    ["remove", "ejected", false, 3],
  ];
  for (const [call, reason, isAvailable, told] of steps) {
    availability[call](one, reason);
    expect([call, reason, availability.isAvailable(one), changes]).toEqual([call, reason, isAvailable, told]);
  }
  expect([availability.isOut(one, "ejected"), availability.isOut(one, "unhealthy")]).toEqual([true, false]);
});

test("the state belongs to the pool, not to the object that holds it", () => {
  const availability = createAvailability(() => {});
  const one = member("a");
  availability.remove(one, "ejected");
  expect(availability.isAvailable({ ...one })).toBe(false);
});

test("with fewer available than the threshold all are used; endpoints without weight do not count", () => {
  const availability = createAvailability(() => {});
  const all = [member("a"), member("b"), member("c"), member("d"), member("spare", 0)];
  const [a, b, c] = all;
  if (a === undefined || b === undefined || c === undefined) throw new Error("no endpoints");
  const ids = (percent: number) => {
    const { endpoints, isPanic } = usable(all, availability, percent);
    return `${endpoints.map(({ id }) => id).join(" ")}${isPanic ? " panic" : ""}`;
  };
  availability.remove(a, "unhealthy");
  availability.remove(b, "unhealthy");
  expect(ids(50)).toBe("c d spare");
  availability.remove(c, "ejected");
  expect(ids(50)).toBe("a b c d spare panic");
  expect(ids(25)).toBe("d spare");
  for (const each of all) availability.remove(each, "unhealthy");
  expect(ids(1)).toBe("a b c d spare panic");
  expect(ids(0)).toBe("");
});
