import { expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { connect } from "../support/client.ts";
import { startEndpoint } from "../support/endpoint-process.ts";
import { PAGE } from "../support/fault-endpoint.ts";
import { eventually } from "../support/load.ts";
import { startProxy } from "../support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const ESTABLISHED = 1;
const SYN_SENT = 2;

interface KernelState {
  readonly state: number;
  /** Bytes that the other side has not acknowledged. */
  readonly unacknowledgedBytes: number;
  readonly retransmits: number;
}

/** What Linux knows of the connections to a port of the loopback address, at the side that connected. */
async function connectionsTo(port: number): Promise<readonly KernelState[]> {
  const lines = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n").slice(1);
  const to = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2] === to)
    .map((fields) => ({
      state: Number.parseInt(fields[3] ?? "", 16),
      unacknowledgedBytes: Number.parseInt(fields[4]?.split(":")[0] ?? "", 16),
      retransmits: Number.parseInt(fields[6] ?? "", 16),
    }));
}

test("an endpoint whose packets are dropped acknowledges nothing and refuses nothing, until they are let in", async () => {
  await using endpoint = await startEndpoint("one");
  using open = await connect(endpoint);
  await open.send(GET);
  expect((await open.response()).body.toString()).toBe(PAGE);
  await endpoint.fail("dropped");
  await open.send(GET);
  const opening = connect(endpoint);
  const isRetransmitted = async () => {
    const states = await connectionsTo(endpoint.port);
    const has = (state: number) => states.some((one) => one.state === state && one.retransmits > 0);
    return has(ESTABLISHED) && has(SYN_SENT);
  };
  await eventually(isRetransmitted, "packets to be sent again", 20_000);
  const [established] = (await connectionsTo(endpoint.port)).filter(({ state }) => state === ESTABLISHED);
  expect(established?.unacknowledgedBytes).toBe(GET.length);
  expect([open.peer.state, open.peer.received.length]).toEqual(["open", 0]);
  await endpoint.heal();
  expect((await open.response("GET", 30_000)).status).toBe(200);
  using opened = await opening;
  await opened.send(GET);
  expect((await opened.response()).status).toBe(200);
});

test("a gateway gives up connecting there after timeouts.connect, and waiting for an answer there after timeouts.response", async () => {
  await using endpoint = await startEndpoint("one");
  const timeouts = { connect: "200ms", response: "300ms" };
  await using gateway = await startProxy(`http://127.0.0.1:${endpoint.port}`, { service: { timeouts } });
  expect((await gateway.exchange(GET)).status).toBe(200);
  await endpoint.fail("dropped");
  const [kept, fresh] = [await gateway.exchange(GET), await gateway.exchange(GET)];
  expect([kept.status, kept.body.toString()]).toEqual([504, expect.stringContaining("upstream_timeout")]);
  expect([fresh.status, fresh.body.toString()]).toEqual([502, expect.stringContaining("upstream_connect")]);
  await endpoint.heal();
  await eventually(async () => (await gateway.exchange(GET)).status === 200, "it to answer again");
});
