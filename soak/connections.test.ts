import { describe, expect, test } from "bun:test";
import { connect, type RawClient } from "../test/support/client.ts";
import { get } from "../test/support/forward.ts";
import { ok, startAnswering } from "../test/support/upstream.ts";
import { catchAll } from "../test/support.ts";
import { type SoakGateway, startSoakGateway } from "./gateway.ts";

const CONNECTIONS = 10_000;
const AT_ONCE = 200;
const LIMIT_BYTES = 6 * 1024;

/** Waits until memory has stood still for a second. */
async function settledRss(gateway: SoakGateway): Promise<number> {
  let last = await gateway.rssBytes();
  for (let stillFor = 0; stillFor < 10; ) {
    await Bun.sleep(100);
    const now = await gateway.rssBytes();
    stillFor = Math.abs(now - last) < 256 * 1024 ? stillFor + 1 : 0;
    last = now;
  }
  return last;
}

async function open(
  gateway: SoakGateway,
  use: (client: RawClient) => Promise<void>,
  count: number,
): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  while (clients.length < count) {
    const batch = await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - clients.length) }, () => connect(gateway)),
    );
    await Promise.all(batch.map(use));
    clients.push(...batch);
  }
  return clients;
}

async function ask(client: RawClient): Promise<void> {
  await client.send(get());
  expect((await client.response()).status).toBe(200);
}

describe(`${CONNECTIONS} idle connections`, () => {
  test.each([
    ["that never sent a byte", async () => {}],
    ["that were used once", ask],
  ] as const)("%s cost at most 6 KB each, and a further client is served", async (_, use) => {
    await using upstream = startAnswering(() => ok());
    const limits = { connections: 2 * CONNECTIONS, idleTimeout: "10m", headerTimeout: "10m" };
    await using gateway = await startSoakGateway(catchAll(upstream.url), { limits });
    // What is paid once, for the first some hundred, is not counted.
    for (const client of await open(gateway, ask, 500)) client.peer.reset();
    const before = await settledRss(gateway);
    const clients = await open(gateway, use, CONNECTIONS);
    const perConnection = ((await settledRss(gateway)) - before) / CONNECTIONS;
    console.log(`${Math.round(perConnection)} bytes per connection`);
    using further = await connect(gateway);
    await ask(further);
    expect(clients.filter(({ peer }) => peer.state !== "open")).toEqual([]);
    for (const client of clients) client.peer.reset();
    expect(perConnection).toBeLessThanOrEqual(LIMIT_BYTES);
  });
});
