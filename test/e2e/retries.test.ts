import { describe, expect, test } from "bun:test";
import { request } from "../support/forward.ts";
import { eventually, startLoad } from "../support/load.ts";
import { ok, startAnswering, startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

const ENDPOINTS = 20;
const SAD = "HTTP/1.1 503 Sad\r\nContent-Length: 3\r\n\r\nsad";

function meshOf(urls: readonly string[], retry: unknown) {
  const mesh = { discover: "static", endpoints: urls.map((url) => ({ url })) };
  return { services: { mesh }, routes: [{ name: "all", retry, backends: [{ service: "mesh" }] }] };
}

/** The counts of `torii_retries_total`, by result. */
async function retries({ gateway }: TestGateway): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`http://127.0.0.1:${gateway.statusPort}/metrics`)).text();
  const lines = text.matchAll(/^torii_retries_total\{service="mesh",result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, result = "", count]) => [result, Number(count)]));
}

describe("idempotent requests under load", () => {
  test("see nothing of endpoints that are killed, answer 503, stall, or talk garbage", async () => {
    let state: "well" | "ill" = "well";
    const moody = (illness: string) => startAnswering(() => (state === "well" ? ok() : illness));
    const stalling = startUpstream(async (connection) => {
      while (state === "well") {
        await connection.request(600_000);
        if (state === "well") await connection.send(ok());
      }
    });
    const killed = startAnswering(() => ok());
    const ill: readonly Upstream[] = [moody(SAD), moody("NONSENSE\r\n\r\n"), stalling, killed];
    const well = Array.from({ length: ENDPOINTS - ill.length }, () => startAnswering(() => ok()));
    const retry = { attempts: 4, backoff: "2ms", budget: "100%", perTryTimeout: "250ms" };
    const urls = [...ill, ...well].map(({ url }) => url);
    await using gateway = await startGateway({
      routes: meshOf(urls, retry),
      torii: { telemetry: { accessLog: { enabled: false } } },
    });
    const load = startLoad({ to: gateway, connections: 8, request: request("GET /") });
    await eventually(() => load.answered() > 200, "load on a well mesh");
    state = "ill";
    await killed.close();
    const answered = load.answered();
    await eventually(() => load.answered() > answered + 1000, "load on an ill mesh", 20_000);
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    const { success = 0, failure = 0, budget_exhausted: spent } = await retries(gateway);
    expect([success > 20, failure < success, spent]).toEqual([true, true, undefined]);
    for (const upstream of [...ill, ...well]) await upstream.close();
  }, 30_000);
});

describe("a route with retry", () => {
  test("sends a client's body again, and logs how often it tried", async () => {
    await using sad = startAnswering(() => SAD);
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    await using gateway = await startGateway({ routes: meshOf([sad.url, well.url], {}) });
    const bodies = ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"];
    // Chance decides who is asked first.
    for (let i = 0; sad.requests.length < 6; i++) {
      const response = await gateway.exchange(`PUT /${i} HTTP/1.1\r\nHost: a\r\n${bodies[i % 2]}`);
      expect(response.body.toString()).toBe("got hello");
    }
    const line = await gateway.logged(({ attempts }) => attempts === 2);
    expect(line).toMatchObject({
      status: 200,
      service: "mesh",
      route: "all",
      decisions: [{ policy: "retry", outcome: "503", about: expect.any(String) }],
    });
    expect(await retries(gateway)).toEqual({ success: 6 });
  });

  test("grants a body that the client asks leave for, as it may have to be sent twice", async () => {
    await using sad = startAnswering(() => SAD);
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    await using gateway = await startGateway({ routes: meshOf([sad.url, well.url], {}) });
    while (sad.requests.length === 0) {
      using client = await gateway.connect();
      await client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
      expect((await client.response()).status).toBe(100);
      await client.send("hello");
      expect((await client.response()).body.toString()).toBe("got hello");
    }
    const fields = [...sad.requests, ...well.requests].flatMap(({ headers }) => headers.map(([name]) => name));
    expect(fields).not.toContain("Expect");
  });

  test("passes a last 503 on, and a POST's first", async () => {
    await using sad = startAnswering(() => SAD);
    await using gateway = await startGateway({ routes: meshOf([sad.url], { attempts: 2 }) });
    const get = await gateway.exchange(request("GET /"));
    expect([get.status, get.body.toString(), sad.requests.length]).toEqual([503, "sad", 3]);
    const post = await gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    expect([post.status, sad.requests.length]).toEqual([503, 4]);
  });

  test("gives up at the route's timeout, whatever is left of its attempts", async () => {
    await using silent = startUpstream(async (connection) => void (await connection.request()));
    const { services, routes } = meshOf([silent.url], { attempts: 10, on: ["timeout"], perTryTimeout: "100ms" });
    const timed = routes.map((route) => ({ ...route, timeout: "300ms" }));
    await using gateway = await startGateway({ routes: { services, routes: timed } });
    expect((await gateway.exchange(request("GET /"))).status).toBe(504);
    expect(silent.requests.length).toBeWithin(2, 5);
  });
});
