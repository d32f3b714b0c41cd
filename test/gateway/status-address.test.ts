import { expect, test } from "bun:test";
import { startGateway, type TestGateway } from "../support.ts";
import { freePort } from "./support.ts";

const LISTENER = { name: "http", address: "127.0.0.1", port: 0 };

function torii(address: string, port: number, listeners: readonly unknown[] = [LISTENER]) {
  return { listeners, status: { address, port }, telemetry: { accessLog: { enabled: false } } };
}

/** A gateway whose status server has a port that is known, and its reload with another `torii.yaml`. */
async function startAt(address: string, port: number) {
  const gateway = await startGateway({ torii: torii(address, port), routes: { routes: [] } });
  const change = async (to: string, listeners?: readonly unknown[]) => {
    await gateway.write("torii.yaml", JSON.stringify(torii(to, port, listeners)));
    return await gateway.gateway.reload();
  };
  return { gateway, change };
}

/** Whether the status server answers there. */
function isLiveAt(address: string, port: number): Promise<boolean> {
  return fetch(`http://${address}:${port}/livez`).then(
    ({ ok }) => ok,
    () => false,
  );
}

function faultsOf(result: Awaited<ReturnType<TestGateway["gateway"]["reload"]>>): readonly string[] {
  return result.isLive ? [] : result.error.issues.map(({ field, message }) => `${field}: ${message}`);
}

test("the status server moves between one address and all, at the port that it has", async () => {
  const port = freePort();
  const { gateway, change } = await startAt("0.0.0.0", port);
  await using _closing = gateway;
  expect(await isLiveAt("127.0.0.2", port)).toBe(true);
  expect(await change("127.0.0.1")).toMatchObject({ isLive: true });
  expect([await isLiveAt("127.0.0.1", port), await isLiveAt("127.0.0.2", port)]).toEqual([true, false]);
  expect(await change("0.0.0.0")).toMatchObject({ isLive: true });
  expect([await isLiveAt("127.0.0.1", port), await isLiveAt("127.0.0.2", port)]).toEqual([true, true]);
});

test("the status server is back where it was when it cannot move", async () => {
  const port = freePort();
  const { gateway, change } = await startAt("127.0.0.1", port);
  await using _closing = gateway;
  const faults = faultsOf(await change("192.0.2.1"));
  expect(faults).toEqual([expect.stringMatching(`status: the status server cannot listen on 192.0.2.1:${port}`)]);
  expect(await isLiveAt("127.0.0.1", port)).toBe(true);
});

test("the status server is back where it was when another part of the configuration cannot be had", async () => {
  const port = freePort();
  const { gateway, change } = await startAt("127.0.0.1", port);
  await using _closing = gateway;
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const blocked = { ...LISTENER, name: "blocked", port: taken.port };
  expect(faultsOf(await change("0.0.0.0", [LISTENER, blocked]))).toEqual([expect.stringMatching(/^listeners\[1\]/)]);
  expect([await isLiveAt("127.0.0.1", port), await isLiveAt("127.0.0.2", port)]).toEqual([true, false]);
  taken.stop(true);
  expect(await change("0.0.0.0")).toMatchObject({ isLive: true });
  expect(await isLiveAt("127.0.0.2", port)).toBe(true);
});
