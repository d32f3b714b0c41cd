import { describe, expect, test } from "bun:test";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { ok, startAnswering, startUpstream } from "../support/upstream.ts";
import { catchAll, startProxy } from "../support.ts";
import { metric } from "./support.ts";

const ROUTES = "routes/main.yaml";

describe("metrics count", () => {
  test("connections: all, and those that are open", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    const open = () => metric(gateway, "torii_connections_open");
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    await eventually(async () => (await open()) === 3, "three connections");
    for (const client of clients.slice(1)) client.close();
    await eventually(async () => (await open()) === 1, "two to close");
    clients[0]?.peer.reset();
    await eventually(async () => (await open()) === 0, "the last to close");
    await gateway.exchange(get());
    expect(await metric(gateway, "torii_connections_total")).toBe(4);
  });

  test("requests in flight, from their head to their last byte", async () => {
    const release = Promise.withResolvers<void>();
    await using upstream = startUpstream(async (connection) => {
      await connection.request();
      await release.promise;
      await connection.send(ok());
    });
    await using gateway = await startProxy(upstream.url);
    const inFlight = () => metric(gateway, "torii_exchanges_in_flight");
    const clients = await Promise.all([1, 2, 3].map(() => gateway.connect()));
    for (const client of clients) await client.send(get());
    await upstream.taken(3);
    expect(await inFlight()).toBe(3);
    // One leaves, two stay to the end.
    clients[0]?.peer.reset();
    await eventually(async () => (await inFlight()) === 2, "the one that left");
    release.resolve();
    await Promise.all(clients.slice(1).map((client) => client.response()));
    await eventually(async () => (await inFlight()) === 0, "the others");
    for (const client of clients) client.close();
  });

  test("requests that could not be read, by code", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange("GET / HTTP/1.1\r\n\r\n");
    await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    await gateway.exchange("GET / HTTP/3.7\r\nHost: a\r\n\r\n");
    await gateway.exchange("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    const refused = (reason: string) => metric(gateway, "torii_requests_refused_total", `reason="${reason}"`);
    expect(
      await Promise.all(["bad_request", "version_not_supported", "method_not_allowed", "uri_too_long"].map(refused)),
    ).toEqual([2, 1, 1, 0]);
    expect(upstream.requests).toEqual([]);
  });

  test("requests by route, method and status, and attempts by service", async () => {
    await using upstream = startAnswering(({ target }) => (target === "/no" ? ok().replace("200 OK", "503 No") : ok()));
    await using gateway = await startProxy(upstream.url, { route: { matches: [{ path: "/yes" }, { path: "/no" }] } });
    for (const line of ["GET /yes", "GET /yes", "GET /no"]) await gateway.exchange(request(line));
    await gateway.exchange(`${request("POST /yes", "Content-Length: 2")}hi`, "POST");
    await gateway.exchange(request("GET /elsewhere"));
    const server = (method: string, status: number, route: string) =>
      metric(
        gateway,
        "http_server_request_duration_seconds_count",
        `http_request_method="${method}",http_response_status_code="${status}",http_route="${route}"`,
      );
    await eventually(async () => (await server("GET", 404, "")) === 1, "the last request");
    expect(
      await Promise.all([server("GET", 200, "all"), server("GET", 503, "all"), server("POST", 200, "all")]),
    ).toEqual([2, 1, 1]);
    const client = await metric(
      gateway,
      "http_client_request_duration_seconds_count",
      'http_request_method="GET",http_response_status_code="200",http_route="all",service="upstream"',
    );
    expect(client).toBe(2);
  });

  test("a client that left as 499", async () => {
    await using upstream = startUpstream(async (connection) => void (await connection.request()));
    await using gateway = await startProxy(upstream.url);
    const client = await gateway.connect();
    await client.send(get());
    await upstream.taken(1);
    client.peer.reset();
    const labels = 'http_request_method="GET",http_response_status_code="499",http_route="all"';
    await eventually(
      async () => (await metric(gateway, "http_server_request_duration_seconds_count", labels)) === 1,
      "the 499",
    );
    expect(await (await upstream.connection(0)).peer.closing()).not.toBe("open");
  });

  test("connections to the endpoints of a service", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    const open = () => metric(gateway, "torii_upstream_connections", 'service="upstream"');
    expect(await open()).toBe(0);
    await gateway.exchange(get());
    expect(await open()).toBe(1);
    upstream.connections[0]?.peer.close();
    await eventually(async () => (await open()) === 0, "the connection to close");
  });

  test("reloads by result, and how the last one went", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    const told = async () => [
      await metric(gateway, "torii_config_reloads_total", 'result="success"'),
      await metric(gateway, "torii_config_reloads_total", 'result="failure"'),
      await metric(gateway, "torii_config_last_reload_successful"),
    ];
    expect(await told()).toEqual([1, 0, 1]);
    const takenAt = await metric(gateway, "torii_config_last_reload_timestamp_seconds");
    expect(takenAt).toBeWithin(Date.now() / 1000 - 60, Date.now() / 1000 + 1);
    await gateway.gateway.reload();
    expect(await told()).toEqual([2, 0, 1]);
    const before = await metric(gateway, "torii_config_last_reload_timestamp_seconds");
    // The watch may read the broken file as well: how often it is counted is not fixed, but that it is.
    await gateway.write(ROUTES, "routes: 7\n");
    expect(await gateway.gateway.reload()).toMatchObject({ isLive: false });
    const [success = 0, failure = 0, last] = await told();
    expect([success, last, failure > 0]).toEqual([2, 0, true]);
    expect(await metric(gateway, "torii_config_last_reload_timestamp_seconds")).toBe(before);
    await gateway.write(ROUTES, JSON.stringify(catchAll(upstream.url)));
    await gateway.gateway.reload();
    expect((await told())[2]).toBe(1);
  });
});

describe("what is refused", () => {
  test("for a body that is announced too large counts as begun and as ended", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url, { torii: { limits: { bodyBytes: "1KiB" } } });
    for (let i = 0; i < 3; i++) {
      const response = await gateway.exchange(request("POST /big", "Content-Length: 5000"));
      expect(response.status).toBe(413);
    }
    expect(await metric(gateway, "torii_exchanges_in_flight")).toBe(0);
    expect(upstream.requests).toHaveLength(0);
  });

  test("before it is whole is logged with as much of its request line as came", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startProxy(upstream.url);
    await gateway.exchange(request("TRACE /traced"));
    expect(await gateway.logged(({ path }) => path === "/traced")).toMatchObject({
      method: "TRACE",
      protocol: "HTTP/1.1",
      status: 405,
      flags: ["method_not_allowed"],
    });
  });
});
