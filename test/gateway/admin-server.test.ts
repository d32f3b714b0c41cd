import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { problemView, routesView, statusView } from "../../src/admin/schemas.ts";
import { bearer, EDITOR, VIEWER } from "../admin/support.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway, type TestGateway } from "../support.ts";

const LISTENER = { name: "http", address: "127.0.0.1", port: 0 };
const STATUS = { address: "127.0.0.1", port: 0 };

function tokenOf(token: string) {
  return { name: "ops", token, role: "editor" };
}

function torii(more: Readonly<Record<string, unknown>>) {
  return { listeners: [LISTENER], status: STATUS, telemetry: { accessLog: { enabled: false } }, ...more };
}

function start(more: Readonly<Record<string, unknown>>) {
  return startGateway({ torii: torii(more), routes: { routes: [] } });
}

async function reload({ gateway, folder }: TestGateway, more: Readonly<Record<string, unknown>>) {
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii(more)));
  return gateway.reload();
}

function ask(port: number | null, path: string, token: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers: bearer(token) });
}

async function statusWith(port: number | null, token: string): Promise<number> {
  return (await ask(port, "/v1/status", token)).status;
}

describe("the admin API of a gateway", () => {
  test("is not there unless it is configured", async () => {
    await using running = await start({});
    expect(running.gateway.adminPort).toBeNull();
  });

  test("tells its status", async () => {
    await using running = await startGateway({
      torii: torii({ zone: "eu-1", admin: { port: 0, tokens: [tokenOf(EDITOR)] } }),
      routes: {
        services: { shop: { discover: "memory" } },
        routes: [{ name: "all", backends: [{ service: "shop" }] }],
      },
    });
    const { gateway, port } = running;
    const status = statusView.parse(await (await ask(gateway.adminPort, "/v1/status", EDITOR)).json());
    expect(status).toMatchObject({
      ...{ version: "test", zone: "eu-1", isReady: true, reasons: [], registries: [] },
      config: { version: "1", routes: 1, services: 1 },
      listeners: [{ name: "http", protocol: "http", address: "127.0.0.1", port }],
      workers: [{ worker: 1, pid: process.pid, state: "serving" }],
      store: { kind: "embedded", state: "ready" },
    });
  });

  test("shows routes without the secrets that stand in them", async () => {
    await using running = await startGateway({
      torii: torii({ admin: { port: 0, tokens: [tokenOf(EDITOR)] } }),
      files: { word: "open-sesame-1234" },
      routes: {
        routes: [
          {
            name: "hidden",
            matches: [{ path: "/x", methods: ["GET"], headers: { "x-word": "${file:word}", "x-api-key": "visible" } }],
            plugins: [{ use: "respond", with: { status: 204 } }],
          },
        ],
      },
    });
    const text = await (await ask(running.gateway.adminPort, "/v1/routes", EDITOR)).text();
    for (const secret of ["open-sesame-1234", "visible", EDITOR]) expect(text).not.toContain(secret);
    const { routes } = routesView.parse(JSON.parse(text));
    expect(routes).toMatchObject([
      { name: "hidden", matches: [{ path: "/x", methods: ["GET"] }], plugins: ["respond"] },
    ]);
  });

  test("shows the services of the configuration in force, and only those", async () => {
    const routesOf = (name: string) => ({
      services: { [name]: { discover: "memory" } },
      routes: [{ name: "all", backends: [{ service: name }] }],
    });
    const admin = { port: 0, tokens: [tokenOf(EDITOR)] };
    await using running = await startGateway({ torii: torii({ admin }), routes: routesOf("old") });
    await running.write("routes/main.yaml", JSON.stringify(routesOf("new")));
    await running.gateway.reload();
    const { adminPort } = running.gateway;
    const list: unknown = await (await ask(adminPort, "/v1/services", EDITOR)).json();
    expect(list).toMatchObject({ services: [{ name: "new" }], answered: [1], missing: [] });
    expect((await ask(adminPort, "/v1/services/old", EDITOR)).status).toBe(404);
  });
});

describe("a reload", () => {
  test("takes a token out of use at once, and lets another one in, at the same port", async () => {
    const port = closedPort();
    await using running = await start({ admin: { port, tokens: [tokenOf(EDITOR)] } });
    expect(await statusWith(port, EDITOR)).toBe(200);
    expect(await reload(running, { admin: { port, tokens: [tokenOf(VIEWER)] } })).toMatchObject({ isLive: true });
    expect([await statusWith(port, EDITOR), await statusWith(port, VIEWER)]).toEqual([401, 200]);
  });

  test("brings the admin API and takes it away", async () => {
    const port = closedPort();
    await using running = await start({});
    await reload(running, { admin: { port, tokens: [tokenOf(EDITOR)] } });
    expect(await statusWith(port, EDITOR)).toBe(200);
    await reload(running, {});
    expect(running.gateway.adminPort).toBeNull();
    expect(await statusWith(port, EDITOR).catch(() => 0)).toBe(0);
  });

  test("is refused for a port that somebody has, and the old one stays", async () => {
    const port = closedPort();
    await using running = await start({ admin: { port, tokens: [tokenOf(EDITOR)] } });
    const taken = running.gateway.statusPort;
    const result = await reload(running, { admin: { port: taken, tokens: [tokenOf(EDITOR)] } });
    expect(result).toMatchObject({ isLive: false, error: { issues: [{ field: "admin" }] } });
    expect(await statusWith(port, EDITOR)).toBe(200);
  });

  test("that is refused for something else leaves tokens as they are", async () => {
    const port = closedPort();
    await using running = await start({ admin: { port, tokens: [tokenOf(EDITOR)] } });
    const blocked = [LISTENER, { name: "b", address: "127.0.0.1", port: running.gateway.statusPort }];
    const result = await reload(running, { listeners: blocked, admin: { port, tokens: [tokenOf(VIEWER)] } });
    expect(result).toMatchObject({ isLive: false });
    expect([await statusWith(port, EDITOR), await statusWith(port, VIEWER)]).toEqual([200, 401]);
  });
});

test("a body that is too large is refused", async () => {
  await using running = await start({ admin: { port: 0, tokens: [tokenOf(EDITOR)] } });
  const { adminPort } = running.gateway;
  const body = new Blob(["x".repeat(100_000)]);
  const response = await fetch(`http://127.0.0.1:${adminPort}/v1/status`, {
    ...{ method: "POST", headers: bearer(EDITOR), body },
  });
  expect(problemView.parse(await response.json())).toMatchObject({ status: 413 });
});
