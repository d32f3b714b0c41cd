import { describe, expect, test } from "bun:test";
import { parseFamilies, renderFamilies } from "../../src/supervisor/metric-families.ts";
import { keepCounts, mergeFamilies } from "../../src/supervisor/metric-merge.ts";
import { createSupervisorMetrics, type MetricSource } from "../../src/supervisor/metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

function family(name: string, type: string, samples: Readonly<Record<string, number>>): string {
  const lines = Object.entries(samples).map(([sample, value]) => `${sample} ${value}\n`);
  return `# HELP ${name} What it is.\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** What two workers' texts become. */
function merged(a: string, b: string): string {
  const families = parseFamilies(a);
  mergeFamilies(families, parseFamilies(b));
  return renderFamilies(families);
}

describe("metrics as text", () => {
  test("are the same when they have been read and written", async () => {
    const metrics = createMetrics({ version: "1" });
    metrics.routeSlot('a route, "quoted" \\ and more').observe("GET", 200, 0.02);
    metrics
      .gauge({ name: "torii_far", help: "Far.", labels: ["of"] })
      .of("x y")
      .set(Number.POSITIVE_INFINITY);
    const text = await metrics.render();
    expect(renderFamilies(parseFamilies(text))).toBe(text);
  });
});

describe("two workers' metrics", () => {
  test.each([
    ["counters are added up", "torii_connections_total", "counter", 3, 4, 7],
    ["gauges are added up", "torii_connections_open", "gauge", 3, 4, 7],
    ["success is what all have", "torii_config_last_reload_successful", "gauge", 1, 0, 0],
    ["the latest instant of a reload counts", "torii_config_last_reload_timestamp_seconds", "gauge", 10, 20, 20],
    ["the first instant of an expiry counts", "torii_certificate_expiry_timestamp_seconds", "gauge", 10, 20, 10],
    ["a version is there once", "torii_build_info", "gauge", 1, 1, 1],
    ["the greatest pressure counts", "torii_overload_pressure", "gauge", 0.2, 0.9, 0.9],
    ["memory is added up", "process_resident_memory_bytes", "gauge", 100, 200, 300],
    ["the bound on descriptors is not", "process_max_fds", "gauge", 1024, 1024, 1024],
    ["reloads are counted by the supervisor alone", "torii_config_reloads_total", "counter", 1, 5, 1],
  ] as const)("%s", (_, name, type, a, b, both) => {
    expect(merged(family(name, type, { [name]: a }), family(name, type, { [name]: b }))).toBe(
      family(name, type, { [name]: both }),
    );
  });

  test("are merged sample by sample, and what only one has is kept", () => {
    const name = "torii_requests_refused_total";
    expect(
      merged(
        family(name, "counter", { [`${name}{reason="a b"}`]: 1 }),
        family(name, "counter", { [`${name}{reason="a b"}`]: 2, [`${name}{reason="c"}`]: 5 }),
      ),
    ).toBe(family(name, "counter", { [`${name}{reason="a b"}`]: 3, [`${name}{reason="c"}`]: 5 }));
  });

  test("of histograms are added up bucket by bucket", async () => {
    const [one, two] = [createMetrics({ version: "1" }), createMetrics({ version: "1" })];
    one.routeSlot("r").observe("GET", 200, 0.02);
    two.routeSlot("r").observe("GET", 200, 3);
    two.routeSlot("r").observe("POST", 201, 0.001);
    const text = merged(await one.render(), await two.render());
    const all = createMetrics({ version: "1" });
    all.routeSlot("r").observe("GET", 200, 0.02);
    all.routeSlot("r").observe("GET", 200, 3);
    all.routeSlot("r").observe("POST", 201, 0.001);
    const server = (rendered: string) => rendered.split("\n").filter((line) => line.startsWith("http_server"));
    expect(server(text)).toEqual(server(await all.render()));
  });
});

describe("a worker that is gone", () => {
  test("leaves its counts, and not its gauges", () => {
    const kept = parseFamilies("");
    const text =
      family("torii_connections_total", "counter", { torii_connections_total: 3 }) +
      family("torii_connections_open", "gauge", { torii_connections_open: 2 });
    keepCounts(kept, parseFamilies(text));
    keepCounts(kept, parseFamilies(text));
    expect(renderFamilies(kept)).toBe(family("torii_connections_total", "counter", { torii_connections_total: 6 }));
  });
});

/** A worker that has counted so many connections, and answers or not. */
function source(connections: number, answers: boolean): MetricSource {
  const text = family("torii_connections_total", "counter", { torii_connections_total: connections });
  return { metrics: async () => (answers ? text : null), lastMetrics: text };
}

function metricOf(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

describe("a scrape", () => {
  test("counts with what a late worker last said, and tells how many answered", async () => {
    const metrics = createSupervisorMetrics({ version: "1", sources: () => [source(3, true), source(4, false)] });
    const text = await metrics.render();
    expect(
      ["torii_connections_total", "torii_workers", "torii_workers_answered"].map((name) => metricOf(text, name)),
    ).toEqual([7, 2, 1]);
  });

  test("counts a worker once that ends while it is asked", async () => {
    const sources = new Set<MetricSource>();
    const metrics = createSupervisorMetrics({ version: "1", sources: () => sources });
    const leaving: MetricSource = {
      ...source(5, true),
      async metrics() {
        sources.delete(leaving);
        metrics.gone(leaving);
        return leaving.lastMetrics;
      },
    };
    sources.add(leaving);
    expect(metricOf(await metrics.render(), "torii_connections_total")).toBe(5);
    expect(metricOf(await metrics.render(), "torii_connections_total")).toBe(5);
  });
});
