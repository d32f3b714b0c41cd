import { expect, test } from "bun:test";
import { durationText } from "../../src/telemetry/duration.ts";

test.each([
  [0, "0s"],
  [250, "250ms"],
  [10_000, "10s"],
  [1500, "1s500ms"],
  [90_000, "1m30s"],
  [300_000, "5m"],
  [90_061_000, "1d1h1m1s"],
])("%d ms are %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
