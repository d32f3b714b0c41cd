import { expect, test } from "bun:test";
import { get } from "../support/forward.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startProxy } from "../support.ts";

// The body is void before the connection to the endpoint is there.
const MALFORMED = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";

test("requests whose bodies are malformed from the first byte on take no connection's place", async () => {
  await using upstream = startAnswering(() => ok());
  await using gateway = await startProxy(upstream.url, { service: { maxConnections: 2 }, route: { timeout: "5s" } });
  for (let i = 0; i < 4; i++) expect((await gateway.exchange(MALFORMED)).status).toBe(400);
  expect((await gateway.exchange(get())).status).toBe(200);
  const [endpoint] = gateway.gateway.services.list().flatMap(({ endpoints }) => endpoints);
  expect(endpoint?.pool.openConnections).toBe(1);
});
