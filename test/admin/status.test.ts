import { afterEach, describe, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import * as z from "zod";
import { createStatusServer, type ReadyState, type StatusServer } from "../../src/admin/status.ts";
import { openShared } from "../../src/supervisor/listening-socket.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

const READY: ReadyState = { isStarted: true, reasons: [] };
const STARTING: ReadyState = { isStarted: false, reasons: [{ code: "starting", detail: "listener http is not open" }] };
const DRAINING: ReadyState = { isStarted: true, reasons: [{ code: "draining", detail: "a drain began" }] };

const PROBLEM = z.looseObject({ type: z.string(), detail: z.string(), reasons: z.unknown().optional() });

let server: StatusServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

function start(state: ReadyState | (() => ReadyState), render?: () => Promise<string>) {
  server = createStatusServer({
    address: "127.0.0.1",
    port: 0,
    readyState: typeof state === "function" ? state : () => state,
    metrics: render === undefined ? createMetrics({ version: "1.2.3" }) : { render },
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return (path: string, method = "GET") => fetch(origin + path, { method });
}

describe("probes", () => {
  test("of a gateway that serves answer 200 with JSON", async () => {
    const get = start(READY);
    for (const [path, status] of Object.entries({ "/livez": "live", "/readyz": "ready", "/startupz": "started" })) {
      const response = await get(path);
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
      expect(await response.json()).toEqual({ status });
    }
  });

  test("of a gateway that starts answer 503 with the reasons, but it lives", async () => {
    const get = start(STARTING);
    expect((await get("/livez")).status).toBe(200);
    expect((await get("/startupz")).status).toBe(503);
    const response = await get("/readyz");
    expect([response.status, response.headers.get("content-type")]).toEqual([503, "application/problem+json"]);
    expect(await response.json()).toEqual({
      type: "urn:torii:problem:not_ready",
      title: "Not ready",
      status: 503,
      detail: "The gateway takes no requests; the reasons say why.",
      reasons: [{ code: "starting", detail: "listener http is not open" }],
    });
  });

  test("of a gateway that drains: started, alive, not ready", async () => {
    const get = start(DRAINING);
    const statuses = await Promise.all(
      ["/livez", "/startupz", "/readyz"].map(async (path) => (await get(path)).status),
    );
    expect(statuses).toEqual([200, 200, 503]);
  });

  test("ask anew each time", async () => {
    let state = STARTING;
    const get = start(() => state);
    expect((await get("/readyz")).status).toBe(503);
    state = READY;
    expect((await get("/readyz")).status).toBe(200);
  });

  test("a gateway that has not started is not ready, even if it gives no reason", async () => {
    const response = await start({ isStarted: false, reasons: [] })("/readyz");
    expect(response.status).toBe(503);
    expect(PROBLEM.parse(await response.json()).reasons).toEqual([
      { code: "starting", detail: "No configuration is live yet." },
    ]);
  });
});

describe("the status server", () => {
  test("gives the metrics in Prometheus text format", async () => {
    const response = await start(READY)("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await response.text()).toContain('torii_build_info{version="1.2.3"} 1\n');
  });

  test("answers HEAD as GET, without the body", async () => {
    const get = start(DRAINING);
    const head = await get("/readyz", "HEAD");
    expect([head.status, await head.text()]).toEqual([503, ""]);
    expect((await get("/metrics", "HEAD")).status).toBe(200);
  });

  test("answers an unknown path with a problem that names the known ones", async () => {
    const response = await start(READY)("/healthz");
    expect(response.status).toBe(404);
    const { type, detail } = PROBLEM.parse(await response.json());
    expect(type).toBe("urn:torii:problem:not_found");
    expect(detail).toBe("There is no /healthz here; there are /livez, /readyz, /startupz and /metrics.");
  });

  test("refuses other methods, on unknown paths too", async () => {
    const get = start(READY);
    for (const path of ["/readyz", "/none"]) {
      const response = await get(path, "POST");
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      expect(PROBLEM.parse(await response.json()).type).toBe("urn:torii:problem:method_not_allowed");
    }
  });

  test("shows nothing of what went wrong inside", async () => {
    const response = await start(READY, () => Promise.reject(new Error("secret detail")))("/metrics");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret detail");
  });

  test("shares its port with nobody, though the other would", () => {
    const other = openShared("127.0.0.1", 0);
    const options = { address: "127.0.0.1", port: other.port, readyState: () => READY };
    expect(() => createStatusServer({ ...options, metrics: { render: async () => "" } })).toThrow(`:${other.port}`);
    closeSync(other.fd);
  });

  test("says where it cannot listen", () => {
    // Taken by a plain socket: under `bun test`, a second Bun.serve of the same address is the first one again.
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const options = {
      address: "127.0.0.1",
      port: taken.port,
      readyState: () => READY,
      metrics: { render: async () => "" },
    };
    expect(() => createStatusServer(options)).toThrow(
      `the status server cannot listen on 127.0.0.1:${taken.port}: another process has the port; end that one, or choose another`,
    );
    taken.stop(true);
  });

  test("is gone once it is closed, though a connection is kept alive", async () => {
    const get = start(READY);
    await get("/livez");
    await server?.close();
    await expect(get("/livez")).rejects.toThrow();
  });
});
