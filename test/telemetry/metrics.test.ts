import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../src/telemetry/metrics.ts";

const SERVER = "http_server_request_duration_seconds";

function metrics(bounds: { readonly maxNames?: number; readonly maxSeries?: number } = {}) {
  return createMetrics({ version: "1.2.3", now: () => 1_700_000_000_500, ...bounds });
}

async function samples(made: ReturnType<typeof metrics>): Promise<Map<string, string>> {
  const lines = (await made.render()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const pairs = lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]);
  const map = new Map(pairs.map(([name, value]) => [name ?? "", value ?? ""]));
  expect(map.size).toBe(lines.length);
  return map;
}

function labels(method: string, status: string, route: string): string {
  return `http_request_method="${method}",http_response_status_code="${status}",http_route="${route}"`;
}

describe("durations of requests", () => {
  test("are cumulative buckets with a sum and a count", async () => {
    const made = metrics();
    const slot = made.routeSlot("catalog");
    for (const seconds of [0.005, 0.0051, 0.3, 10, 11]) slot.observe("GET", 200, seconds);
    const found = await samples(made);
    const of = labels("GET", "200", "catalog");
    const bucket = (le: string) => found.get(`${SERVER}_bucket{${of},le="${le}"}`);
    expect(["0.005", "0.01", "0.25", "0.5", "7.5", "10", "+Inf"].map(bucket)).toEqual([
      "1",
      "2",
      "2",
      "3",
      "3",
      "4",
      "5",
    ]);
    expect(Number(found.get(`${SERVER}_sum{${of}}`))).toBeCloseTo(21.3101, 6);
    expect(found.get(`${SERVER}_count{${of}}`)).toBe("5");
  });

  test("keep methods and statuses apart, count unknown methods as _OTHER and no status as none", async () => {
    const made = metrics();
    const slot = made.routeSlot("a");
    slot.observe("GET", 200, 1);
    slot.observe("GET", 404, 1);
    slot.observe("get", 200, 1);
    slot.observe("PROPFIND", 200, 1);
    slot.observe("QUERY", 0, 1);
    const found = await samples(made);
    const count = (method: string, status: string) => found.get(`${SERVER}_count{${labels(method, status, "a")}}`);
    expect([count("GET", "200"), count("GET", "404"), count("_OTHER", "200"), count("QUERY", "")]).toEqual([
      "1",
      "1",
      "2",
      "1",
    ]);
  });

  test("of requests without a route have an empty route", async () => {
    const made = metrics();
    made.routeSlot(null).observe("GET", 404, 0.001);
    expect((await samples(made)).get(`${SERVER}_count{${labels("GET", "404", "")}}`)).toBe("1");
  });

  test("go on in the same series when a route of the same name is compiled again", async () => {
    const made = metrics();
    made.routeSlot("a").observe("GET", 200, 0.001);
    made.routeSlot("a").observe("GET", 200, 0.001);
    expect((await samples(made)).get(`${SERVER}_count{${labels("GET", "200", "a")}}`)).toBe("2");
  });

  test("do not spoil the sum when the clock stepped back", async () => {
    const made = metrics();
    for (const seconds of [-5, Number.NaN, 2]) made.routeSlot("a").observe("GET", 200, seconds);
    const found = await samples(made);
    expect(found.get(`${SERVER}_sum{${labels("GET", "200", "a")}}`)).toBe("2");
    expect(found.get(`${SERVER}_count{${labels("GET", "200", "a")}}`)).toBe("3");
  });

  test("of routes over the bound go to `other`, which a route of that name shares", async () => {
    const made = metrics({ maxNames: 2 });
    for (const name of ["a", "b", "c", "d", "other"]) made.routeSlot(name).observe("GET", 200, 0.001);
    const found = await samples(made);
    const count = (route: string) => found.get(`${SERVER}_count{${labels("GET", "200", route)}}`);
    expect([count("a"), count("b"), count("c"), count("other")]).toEqual(["1", "1", undefined, "3"]);
  });

  test("make no more series than the bound, and lose no count", async () => {
    const made = metrics({ maxSeries: 3 });
    const slot = made.routeSlot("a");
    for (let status = 200; status < 210; status++) slot.observe("GET", status, 0.001);
    slot.observe("GET", 201, 0.001);
    const counts = [...(await samples(made))].filter(([name]) => name.startsWith(`${SERVER}_count`));
    expect(counts.filter(([name]) => name.includes('http_route="a"'))).toHaveLength(3);
    expect(counts.reduce((sum, [, value]) => sum + Number(value), 0)).toBe(11);
  });

  test("survive the growth of their tables", async () => {
    const made = metrics({ maxNames: 500 });
    for (let i = 0; i < 500; i++) for (let n = 0; n <= i % 3; n++) made.routeSlot(`r${i}`).observe("GET", 200, 0.001);
    const found = await samples(made);
    const counts = Array.from({ length: 500 }, (_, i) =>
      found.get(`${SERVER}_count{${labels("GET", "200", `r${i}`)}}`),
    );
    expect(counts).toEqual(Array.from({ length: 500 }, (_, i) => String((i % 3) + 1)));
  });

  test("of attempts name the service and the route", async () => {
    const made = metrics();
    made.serviceSlot("catalog-next", "catalog").observe("GET", 502, 0.02);
    const of = `${labels("GET", "502", "catalog")},service="catalog-next"`;
    expect((await samples(made)).get(`http_client_request_duration_seconds_count{${of}}`)).toBe("1");
  });
});

describe("families of one's own", () => {
  test("escape label values and help as the text format asks", async () => {
    const made = metrics();
    made
      .counter({ name: "x_total", help: "a\\b\nc", labels: ["l"] })
      .of('q"b\\n\nend')
      .add(2);
    const text = await made.render();
    expect(text).toContain("# HELP x_total a\\\\b\\nc\n# TYPE x_total counter\n");
    expect(text).toContain('x_total{l="q\\"b\\\\n\\nend"} 2\n');
  });

  test("are bounded: what is over is counted as `other`", async () => {
    const made = metrics();
    const family = made.counter({ name: "x_total", help: "h", labels: ["a", "b"], maxSeries: 1 });
    for (const value of ["1", "2", "3", "1"]) family.of(value, "z").add();
    const found = await samples(made);
    expect([found.get('x_total{a="1",b="z"}'), found.get('x_total{a="other",b="other"}')]).toEqual(["2", "2"]);
  });

  test("that are read at scrape show what is, and nothing that was", async () => {
    const made = metrics();
    let open = [{ labels: ["a"], value: 3 }];
    made.collect({ name: "torii_x", help: "h", type: "gauge", labels: ["service"], read: () => open });
    expect((await samples(made)).get('torii_x{service="a"}')).toBe("3");
    open = [
      { labels: ["b"], value: 1 },
      { labels: ["b"], value: 2 },
    ];
    const found = await samples(made);
    expect([found.get('torii_x{service="a"}'), found.get('torii_x{service="b"}')]).toEqual([undefined, "3"]);
  });

  test("are refused when the name is taken or none", () => {
    const made = metrics();
    made.gauge({ name: "x", help: "h" });
    expect(() => made.counter({ name: "x", help: "h" })).toThrow("metric x exists already");
    expect(() => made.counter({ name: "a-b", help: "h" })).toThrow('invalid metric name: "a-b"');
    expect(() => made.gauge({ name: "y", help: "h", labels: ["le-x"] })).toThrow('invalid label "le-x" of metric y');
    expect(() => made.counter({ name: "z", help: "h", labels: ["a"] }).of()).toThrow("metric z takes 1 label values");
  });
});

describe("what happens in the gateway", () => {
  test("is counted", async () => {
    const made = metrics();
    const { events } = made;
    events.connectionOpened();
    events.connectionOpened();
    events.connectionClosed();
    events.connectionRefused("limit");
    events.requestRefused("headers_too_large");
    events.exchangeStarted();
    events.accessLogDropped(7);
    const found = await samples(made);
    const names = [
      "torii_connections_open",
      "torii_connections_total",
      'torii_connections_refused_total{reason="limit"}',
      'torii_requests_refused_total{reason="headers_too_large"}',
      "torii_exchanges_in_flight",
      "torii_access_log_dropped_total",
      'torii_build_info{version="1.2.3"}',
    ];
    expect(names.map((name) => found.get(name))).toEqual(["1", "2", "1", "1", "1", "7", "1"]);
  });

  test("a refused configuration leaves the time of the last good one", async () => {
    const made = metrics();
    made.events.configReloaded("success");
    made.events.configReloaded("failure");
    const found = await samples(made);
    expect(found.get("torii_config_last_reload_successful")).toBe("0");
    expect(found.get("torii_config_last_reload_timestamp_seconds")).toBe("1700000000.5");
    expect(found.get('torii_config_reloads_total{result="success"}')).toBe("1");
    expect(found.get('torii_config_reloads_total{result="failure"}')).toBe("1");
  });

  test("the process tells its memory, time and descriptors", async () => {
    const found = await samples(metrics());
    expect(Number(found.get("process_resident_memory_bytes"))).toBeGreaterThan(1e6);
    expect(Number(found.get("process_open_fds"))).toBeGreaterThan(2);
    const startedAt = Number(found.get("process_start_time_seconds")) * 1000;
    expect(startedAt).toBeGreaterThan(Date.now() - 3_600_000);
    expect(startedAt).toBeLessThanOrEqual(Date.now());
  });

  test("every line of a scrape is of the text format", async () => {
    const made = metrics();
    made.routeSlot("ünïcode").observe("GET", 200, 0.01);
    const line = /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? (\d+(\.\d+)?(e[-+]\d+)?|\+Inf))$/;
    const text = await made.render();
    expect(text.endsWith("\n")).toBe(true);
    expect(
      text
        .trimEnd()
        .split("\n")
        .filter((each) => !line.test(each)),
    ).toEqual([]);
  });
});
