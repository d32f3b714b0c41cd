import { describe, expect, test } from "bun:test";
import { metric } from "../gateway/support.ts";
import { connect, type RawClient } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startGateway, startProxy } from "../support.ts";

const BASE = {
  telemetry: { accessLog: { enabled: false } },
  listeners: [{ name: "http", address: "127.0.0.1", port: 0 }],
  status: { address: "127.0.0.1", port: 0 },
  shutdown: { delay: "0s", timeout: "1s" },
};

/** Opens connections one after the other. */
async function open(port: number, count: number): Promise<readonly RawClient[]> {
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) clients.push(await connect({ port }));
  return clients;
}

describe("at the limit on connections", () => {
  test("some more are told so, the rest wait in the kernel's queue and are served when there is room", async () => {
    await using upstream = startAnswering(() => ok("served"));
    await using gateway = await startProxy(upstream.url, { torii: { ...BASE, limits: { connections: 4 } } });
    const taken = await open(gateway.port, 4);
    const refused = await open(gateway.port, 64);
    const last = refused.at(-1);
    if (last === undefined) throw new Error("there is no connection");
    const answer = await last.response();
    expect([answer.status, header(answer, "retry-after")]).toEqual([503, "1"]);
    expect(await metric(gateway, "torii_accept_paused")).toBe(1);

    const waiting = await open(gateway.port, 8);
    for (const client of waiting) await client.send(get());
    // The kernel has taken them; the gateway has not, as everybody whom it told is still there.
    const opened = await metric(gateway, "torii_connections_total");
    expect([opened, await metric(gateway, "torii_connections_open")]).toEqual([68, 68]);
    expect(waiting.map(({ peer }) => [peer.state, peer.receivedBytes])).toEqual(waiting.map(() => ["open", 0]));

    for (const client of [...taken, ...refused]) client.peer.reset();
    const first = waiting.slice(0, 4);
    for (const client of first) expect((await client.response()).body.toString()).toBe("served");
    for (const client of waiting) client.peer.reset();
    await eventually(async () => (await metric(gateway, "torii_accept_paused")) === 0, "accepting to go on");
    expect((await gateway.exchange(get())).status).toBe(200);
  });
});

describe("over a threshold", () => {
  const routes = (url: string) => ({
    services: { up: { discover: "static", endpoints: [{ url }] } },
    routes: (["low", "normal", "high"] as const).map((priority) => ({
      name: priority,
      priority,
      matches: [{ path: `/${priority}` }],
      backends: [{ service: "up" }],
    })),
  });

  test("every request is refused with 503 and a time, as its own route's, and connections wait; then all is well again", async () => {
    await using upstream = startAnswering(() => ok("served"));
    await using gateway = await startGateway({ torii: BASE, routes: routes(upstream.url) });
    using kept = await gateway.connect();
    await kept.send(request("GET /high"));
    expect((await kept.response()).status).toBe(200);
    // That is always exceeded: this process is larger.
    await gateway.write("torii.yaml", JSON.stringify({ ...BASE, overload: { memory: "64MiB" } }));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    await eventually(async () => (await metric(gateway, "torii_accept_paused")) === 1, "accepting to rest");
    await kept.send(request("GET /high"));
    const refused = await kept.response();
    expect([refused.status, JSON.parse(refused.body.toString()).type]).toEqual([503, "urn:torii:problem:overloaded"]);
    expect(["1", "2", "3"]).toContain(header(refused, "retry-after") ?? "");
    expect(upstream.requests).toHaveLength(1);
    expect(await metric(gateway, "torii_requests_shed_total", 'priority="high",reason="memory"')).toBe(1);
    using waiting = await gateway.connect();
    await waiting.send(request("GET /high"));
    const readiness = () => fetch(`http://127.0.0.1:${gateway.gateway.statusPort}/readyz`);
    expect((await readiness()).status).toBe(200);
    await eventually(async () => (await readiness()).status === 503, "it to be unready", 15_000);
    expect(await (await readiness()).json()).toMatchObject({ reasons: [{ code: "overloaded" }] });

    await gateway.write("torii.yaml", JSON.stringify(BASE));
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    expect((await waiting.response()).status).toBe(200);
    expect((await readiness()).status).toBe(200);
    expect(gateway.log.map(({ msg }) => msg)).toContain("overload: more requests are shed");
  }, 30_000);
});
