import { expect, test } from "bun:test";
import { createReports } from "../../src/registry/mesh-reports.ts";

function setup() {
  let nowMs = 0;
  const lines: string[] = [];
  let counted = 0;
  const reports = createReports({
    service: "shop",
    now: () => nowMs,
    onIgnored(_, { id }, isLoud) {
      counted++;
      if (isLoud) lines.push(id);
    },
    onManyIgnored: (_, count) => void lines.push(`${count} more`),
    onRefused() {},
  });
  const bad = (...ids: readonly string[]) =>
    reports.told(
      [],
      ids.map((id) => ({ id, reason: "malformed" as const, detail: "" })),
      [],
    );
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { bad, lines, counted: () => counted, pass };
}

test("endpoints that are ignored under ever new ids are twenty lines a minute, and their number", () => {
  const { bad, lines, counted, pass } = setup();
  for (let i = 0; i < 1000; i++) bad(`a${i}`, `b${i}`);
  expect(lines).toHaveLength(21);
  expect(lines.slice(-3)).toEqual(["a9", "b9", "2 more"]);
  pass(60_000);
  bad("late");
  expect(lines.slice(-2)).toEqual(["1978 more", "late"]);
  expect(counted()).toBe(2001);
});

test("an endpoint that stays as it is is told once, and again after it was mended", () => {
  const { bad, lines } = setup();
  bad("one");
  bad("one", "two");
  bad("two");
  bad("one", "two");
  expect(lines).toEqual(["one", "two", "one"]);
});
