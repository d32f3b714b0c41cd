import { describe, expect, test } from "bun:test";
import pino from "pino";
import { createSelectionMetrics } from "../../src/gateway/selection-metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

function setup() {
  const clock = { ms: 1000 };
  const lines: { readonly msg: string; readonly service: string; readonly more?: number }[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const tell = createSelectionMetrics({
    metrics: createMetrics({ version: "test" }),
    log,
    services: () => [],
    nowMs: () => clock.ms,
  });
  const waver = (service: string, times: number) => {
    for (let i = 0; i < times; i++) tell({ service, endpoint: "one", isOverloaded: i % 2 === 0, load: { cpu: 1 } });
  };
  return { clock, lines, waver, more: () => lines.flatMap(({ more }) => more ?? []) };
}

describe("endpoints whose load wavers as fast as they can write", () => {
  test("fill a minute of the log with twenty lines of their service, and one that says that there are more", () => {
    const { lines, waver, more } = setup();
    waver("shop", 2400);
    expect(lines).toHaveLength(21);
    expect(more()).toEqual([1]);
    waver("cart", 1);
    expect(lines.at(-1)?.service).toBe("cart");
  });

  test("are told of again in the next minute, after the number of what was left out", () => {
    const { clock, lines, waver, more } = setup();
    waver("shop", 100);
    clock.ms += 60_000;
    waver("shop", 2);
    expect(more()).toEqual([1, 79]);
    expect(lines.slice(-2).map(({ msg }) => msg)).toEqual([
      "endpoint overloaded: it reports too much load",
      "endpoint recovered from its load",
    ]);
  });

  test("are told of each time where that is seldom", () => {
    const { clock, lines, waver, more } = setup();
    for (let minute = 0; minute < 10; minute++) {
      waver("shop", 20);
      clock.ms += 60_000;
    }
    expect([lines.length, more()]).toEqual([200, []]);
  });
});
