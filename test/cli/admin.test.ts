import { describe, expect, test } from "bun:test";
import { bearer, EDITOR, VIEWER } from "../admin/support.ts";
import { eventually } from "../support/load.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway, type TestGateway } from "../support.ts";
import { torii } from "./support.ts";

const TOKENS = [
  { name: "ops", token: EDITOR, role: "editor" },
  { name: "eye", token: VIEWER, role: "viewer" },
];

function start(): Promise<TestGateway> {
  return startGateway({
    torii: {
      listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
      ...{ status: { address: "127.0.0.1", port: 0 }, admin: { port: 0, tokens: TOKENS } },
    },
    routes: {
      services: { shop: { endpoints: [{ id: "a", url: "http://127.0.0.1:1", weight: 3 }], circuitBreaker: {} } },
      routes: [{ name: "all", matches: [{ path: "/shop/*", methods: ["GET"] }], backends: [{ service: "shop" }] }],
    },
  });
}

/** Files beside which a command runs, of a gateway whose admin API is at that port. */
function files(port: number | null, tokens: unknown = TOKENS) {
  return { "torii.yaml": JSON.stringify({ unknown: "key", admin: { port, tokens } }) };
}

const cells = (text: string) => text.split("\n").map((line) => line.split(/ {2,}/));

describe("a command that asks a running gateway", () => {
  test("finds it, and a token, in torii.yaml, whatever else is wrong there", async () => {
    await using running = await start();
    const { code, out, err } = await torii(["status"], files(running.gateway.adminPort));
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n")[0]).toBe("ready");
    expect(out).toContain("version test, up for ");
    expect(out).toContain("1 route, 1 service");
    expect(cells(out)).toContainEqual(["http", "http", `127.0.0.1:${running.port}`, "*"]);
    expect(cells(out)).toContainEqual(["1", String(process.pid), "serving"]);
  });

  test("lists services, and one of them with its endpoints", async () => {
    await using running = await start();
    const place = files(running.gateway.adminPort);
    const list = cells((await torii(["services"], place)).out);
    expect(list).toEqual([
      ["SERVICE", "REGISTRY", "POLICY", "ENDPOINTS", "USED", "UNHEALTHY", "EJECTED", "IN FLIGHT", "BREAKER"],
      ["shop", "static", "least_request", "1", "1", "0", "0", "0", "closed"],
    ]);
    const detail = cells((await torii(["services", "shop"], place)).out);
    expect(detail[0]?.[0]).toBe("shop: least_request, endpoints from the configuration");
    expect(detail.at(-1)).toEqual(["a", "http://127.0.0.1:1", "3", "-", "-", "-", "0", "0", "-", "used"]);
  });

  test("says of who is well and gets nothing, as it stands in another zone, that it is spare", async () => {
    const at = (id: string, port: number, zone: string) => ({ id, url: `http://127.0.0.1:${port}`, zone });
    await using running = await startGateway({
      torii: {
        zone: "z1",
        ...{ listeners: [{ name: "http", address: "127.0.0.1", port: 0 }] },
        ...{ status: { address: "127.0.0.1", port: 0 }, admin: { port: 0, tokens: TOKENS } },
      },
      routes: {
        services: {
          shop: { endpoints: [at("a", 1, "z1"), at("b", 2, "z2")], loadBalancing: { zone: "prefer" } },
          found: { discover: "memory" },
        },
        routes: [{ name: "all", backends: [{ service: "shop" }] }],
      },
    });
    const place = files(running.gateway.adminPort);
    const detail = cells((await torii(["services", "shop"], place)).out);
    expect(detail.slice(-2).map((row) => [row[0], row.at(-1)])).toEqual([
      ["a", "used"],
      ["b", "spare, as the gateway's zone takes all"],
    ]);
    expect(cells((await torii(["services"], place)).out)[1]?.slice(3, 5)).toEqual(["2", "1"]);
  });

  test("tells since when a registry has told the same, and when it told something else", async () => {
    await using running = await startGateway({
      torii: {
        listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
        ...{ status: { address: "127.0.0.1", port: 0 }, admin: { port: 0, tokens: TOKENS } },
      },
      routes: {
        services: { shop: { discover: "memory" } },
        routes: [{ name: "all", backends: [{ service: "shop" }] }],
      },
    });
    const place = files(running.gateway.adminPort);
    const first = async () => (await torii(["services", "shop"], place)).out.split("\n")[0];
    expect(await first()).toMatch(/endpoints from memory, which tells the same since 20\S+Z$/);
    running.registry.register("shop", { id: "a", url: "http://127.0.0.1:1", weight: 1 }, 60_000);
    await eventually(async () => /memory, which changed last at 20\S+Z$/.test((await first()) ?? ""), "the change");
  });

  test("lists routes, and says the same as the files", async () => {
    await using running = await start();
    const { out } = await torii(["routes"], files(running.gateway.adminPort));
    expect(cells(out)).toEqual([
      ["ROUTE", "HOSTS", "LISTENERS", "MATCHES", "PLUGINS", "BACKENDS"],
      ["all", "*", "*", "GET /shop/*", "-", "shop"],
    ]);
    const config = `${running.folder}/torii.yaml`;
    expect((await torii(["routes", "--files", "--config", config])).out).toBe(out);
  });

  test.each(["status", "services", "services shop", "routes"])("shows all as JSON: %s", async (command) => {
    const args = command.split(" ");
    await using running = await start();
    const { adminPort } = running.gateway;
    const { code, out } = await torii([...args, "--json"], files(adminPort));
    const answer = await fetch(`http://127.0.0.1:${adminPort}/v1/${args.join("/")}`, { headers: bearer(VIEWER) });
    const { uptimeSeconds: _, ...shown } = JSON.parse(out);
    expect(await answer.json()).toMatchObject(shown);
    expect(code).toBe(0);
  });

  test("takes the address and the token from its arguments, or the token from the environment", async () => {
    await using running = await start();
    const url = `http://localhost:${running.gateway.adminPort}`;
    expect(await torii(["status", "--admin", url, "--token", VIEWER])).toMatchObject({ code: 0, err: "" });
    expect(await torii(["status", "--admin", url], {}, { TORII_ADMIN_TOKEN: VIEWER })).toMatchObject({ code: 0 });
    const other = files(running.gateway.adminPort, [{ name: "old", token: "long-gone-long-gone-1" }]);
    expect(await torii(["status"], other, { TORII_ADMIN_TOKEN: VIEWER })).toMatchObject({ code: 0 });
  });

  test("takes the first token that it can read", async () => {
    await using running = await start();
    const place = files(running.gateway.adminPort, [
      { name: "a", token: "${NOT_HERE}" },
      { name: "b", token: VIEWER },
    ]);
    expect(await torii(["status"], place)).toMatchObject({ code: 0, err: "" });
    const { code, err } = await torii(["status"], files(1, [{ name: "a", token: "${NOT_HERE}" }]));
    expect([code, err]).toEqual([1, expect.stringContaining("set TORII_ADMIN_TOKEN, or give --token")]);
  });
});

describe("a command that cannot ask says why:", () => {
  test("nobody is there", async () => {
    const port = closedPort();
    const { code, out, err } = await torii(["status"], files(port));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`no gateway answers at http://127.0.0.1:${port}: is it running`);
  });

  test("the token is wrong, and where it came from, but not what it is", async () => {
    await using running = await start();
    const place = files(running.gateway.adminPort, [{ name: "old", token: "long-gone-long-gone-1" }]);
    const { code, err } = await torii(["services"], place);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("does not take the token from admin.tokens[0] of torii.yaml"),
    ]);
    expect(err).not.toContain("long-gone");
  });

  test("no admin API is configured", async () => {
    const { code, err } = await torii(["services"], { "torii.yaml": "workers: 1\n" });
    expect([code, err]).toEqual([1, expect.stringContaining("torii.yaml configures no admin API")]);
    expect((await torii(["services"])).err).toContain("torii.yaml configures no admin API");
  });

  test("there is no such service", async () => {
    await using running = await start();
    const { code, err } = await torii(["services", "none"], files(running.gateway.adminPort));
    expect([code, err]).toEqual([1, expect.stringContaining('the gateway has no service "none"')]);
  });

  test("who answers is no admin API", async () => {
    await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("<p>hello") });
    const { code, err } = await torii(["status"], files(server.port ?? 0));
    expect([code, err]).toEqual([1, expect.stringContaining("is no admin API")]);
  });

  test("who answers is of another version, and --json shows it all the same", async () => {
    await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ hello: 1 }) });
    const place = files(server.port ?? 0);
    const { code, err } = await torii(["status"], place);
    expect([code, err]).toEqual([1, expect.stringContaining("answers as another version does")]);
    expect(await torii(["status", "--json"], place)).toMatchObject({ code: 0, out: '{\n  "hello": 1\n}' });
  });

  test("who answers points elsewhere: the token does not go there", async () => {
    const seen: (string | null)[] = [];
    await using other = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0 },
      fetch(request) {
        seen.push(request.headers.get("authorization"));
        return Response.json({});
      },
    });
    const to = `http://127.0.0.1:${other.port}/v1/status`;
    await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.redirect(to) });
    expect(await torii(["status"], files(server.port ?? 0))).toMatchObject({ code: 1 });
    expect(seen).toEqual([]);
  });

  test.each([
    [["status", "--admin", "localhost:9901"], "is no address"],
    [["status", "--admin", "http://localhost:9901/v1"], "is no address"],
    [["status", "--admin", "http://localhost:9901"], "--admin needs a token"],
    [["services", "a", "b"], "b is one name too many"],
    [["status", "now"], "Unexpected argument"],
    [["routes", "--files", "--token", "x"], "--files asks no gateway"],
  ])("%p is misuse", async (args, why) => {
    const { code, err } = await torii(args, files(1));
    expect([code, err]).toEqual([2, expect.stringContaining(why)]);
  });
});
