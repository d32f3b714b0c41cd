import { describe, expect, test } from "bun:test";
import type { EndpointLoad } from "../../src/registry/registry.ts";
import { createAvailability } from "../../src/service/availability.ts";
import { createLoadReports, type LoadChange } from "../../src/service/load-reports.ts";

function setup(maxLoad = { cpu: 0.9 as number | null, memory: 0.8 as number | null }) {
  const changes: LoadChange[] = [];
  const availability = createAvailability(() => {});
  const onChange = (change: LoadChange) => void changes.push(change);
  const reports = createLoadReports(maxLoad, { service: "shop", availability, onChange });
  const pool = {};
  return {
    changes,
    availability,
    /** Whether the endpoint is out after this report. */
    report(load: EndpointLoad | null): boolean {
      reports.update([{ id: "one", pool, load }]);
      return availability.isOut({ pool }, "overloaded");
    },
  };
}

describe("an endpoint that reports its load", () => {
  test.each([
    ["is out from the threshold on", { cpu: 0.9 }, true],
    ["is in below it", { cpu: 0.899 }, false],
    ["is out for either", { cpu: 0.1, memory: 0.8 }, true],
    ["is not judged by its requests", { inFlight: 1_000_000 }, false],
    ["is in when it says nothing", {}, false],
    ["is in without a report", null, false],
  ] as const)("%s", (_, load, isOut) => {
    expect(setup().report(load)).toBe(isOut);
  });

  test("comes back at nine tenths of the threshold, and wavers not in between", () => {
    const { report, changes } = setup();
    const said = [0.5, 0.9, 0.85, 0.89, 0.82, 0.81, 0.85, 0.89, 0.91].map((cpu) => report({ cpu }));
    expect(said).toEqual([false, true, true, true, true, false, false, false, true]);
    expect(changes.map(({ isOverloaded, load }) => [isOverloaded, load?.cpu])).toEqual([
      [true, 0.9],
      [false, 0.81],
      [true, 0.91],
    ]);
  });

  test("stays out until all that it reports is low enough", () => {
    const { report } = setup();
    expect(report({ cpu: 0.95, memory: 0.5 })).toBe(true);
    expect(report({ cpu: 0.2, memory: 0.79 })).toBe(true);
    expect(report({ cpu: 0.2, memory: 0.72 })).toBe(false);
  });

  test("is in again when its record has no report any more", () => {
    const { report, changes } = setup();
    expect(report({ cpu: 1 })).toBe(true);
    expect(report(null)).toBe(false);
    expect(changes.at(-1)).toEqual({ service: "shop", endpoint: "one", isOverloaded: false, load: null });
  });

  test("is judged only by what has a threshold", () => {
    expect(setup({ cpu: null, memory: 0.8 }).report({ cpu: 1 })).toBe(false);
  });

  test("is out for other reasons as well, each by itself", () => {
    const { report, availability } = setup();
    const other = { pool: {} };
    availability.remove(other, "ejected");
    expect(report({ cpu: 1 })).toBe(true);
    expect(availability.isAvailable(other)).toBe(false);
    expect(availability.reasonsOf(other)).toEqual(["ejected"]);
  });
});
