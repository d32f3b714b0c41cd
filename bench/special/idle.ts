import type { Socket } from "bun";
import { OK_BODY } from "../backend.ts";
import { type Bench, type Contestant, startProxy } from "../fleet.ts";
import { openFileLimit } from "../machine.ts";
import { readUsage } from "../process.ts";
import { nginxProxy } from "../proxies/nginx.ts";
import type { ProxySpec } from "../proxies/proxy.ts";
import { bareRoutes, toriiProxy } from "../proxies/torii.ts";
import { median, type ScenarioHead, type ScenarioReport } from "../report.ts";
import { warmUp } from "./warm-up.ts";

const CLIENTS = 10_000;
const AT_ONCE = 100;
const SETTLE_MS = 2000;

interface IdleMeasurement {
  readonly contestant: string;
  readonly beforeBytes: number;
  readonly growthBytes: number;
  readonly closed: number;
}

/** A fresh process each round, at most three: what a process once had, it keeps, and a second time costs nothing. */
export async function runIdle(bench: Bench, head: ScenarioHead): Promise<ScenarioReport> {
  if (openFileLimit() < CLIENTS * 2)
    return report(head, [], [`the open file limit ${openFileLimit()} is under 20,000`]);
  const measurements: IdleMeasurement[] = [];
  const faults: string[] = [];
  for (const proxy of [nginxProxy(), toriiProxy({ name: "torii", routes: bareRoutes })].filter((one) =>
    one.isInstalled(),
  )) {
    try {
      for (let round = 0; round < Math.min(bench.options.rounds, 3); round += 1)
        measurements.push(await measure(bench, proxy));
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  const closed = measurements.filter((one) => one.closed > 0);
  return report(head, measurements, [
    ...faults,
    ...closed.map((one) => `${one.contestant} closed ${one.closed} clients`),
  ]);
}

function report(
  head: ScenarioHead,
  measurements: readonly IdleMeasurement[],
  faults: readonly string[],
): ScenarioReport {
  const names = [...new Set(measurements.map((one) => one.contestant))];
  const columns = ["", "KB/connection", "RSS before MB", "RSS growth MB"];
  return { ...head, columns, rows: names.map((name) => row(name, measurements)), faults, measurements };
}

function row(name: string, measurements: readonly IdleMeasurement[]): readonly string[] {
  const own = measurements.filter((one) => one.contestant === name);
  const growthBytes = median(own.map((one) => one.growthBytes));
  const beforeBytes = median(own.map((one) => one.beforeBytes));
  const perConnection = (growthBytes / CLIENTS / 1000).toFixed(2);
  return [name, perConnection, (beforeBytes / 1e6).toFixed(1), (growthBytes / 1e6).toFixed(1)];
}

async function measure(bench: Bench, proxy: ProxySpec): Promise<IdleMeasurement> {
  const contestant = await startProxy(bench, proxy);
  await warmUp(bench, contestant);
  await Bun.sleep(SETTLE_MS);
  const beforeBytes = readUsage(contestant.child.pid).rssBytes;
  const clients = await openClients(contestant);
  await Bun.sleep(SETTLE_MS);
  const growthBytes = readUsage(contestant.child.pid).rssBytes - beforeBytes;
  const closed = clients.filter((client) => client.readyState !== 1).length;
  for (const client of clients) client.terminate();
  await bench.children.stop(contestant.child);
  return { contestant: contestant.name, beforeBytes, growthBytes, closed };
}

/** A hundred at a time, so that the proxy needs few connections to the backend. */
async function openClients(contestant: Contestant): Promise<readonly Socket<Answer>[]> {
  const clients: Socket<Answer>[] = [];
  while (clients.length < CLIENTS) {
    clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => openClient(contestant)))));
  }
  return clients;
}

interface Answer {
  text: string;
}

/** Connects, gets one answer, and leaves the connection open; rejects when it closes before the answer. */
async function openClient(contestant: Contestant): Promise<Socket<Answer>> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = await Bun.connect<Answer>({
    hostname: "127.0.0.1",
    port: contestant.port,
    data: { text: "" },
    socket: {
      data: (self, chunk) => {
        self.data.text += chunk.toString("latin1");
        if (self.data.text.endsWith(`\r\n\r\n${OK_BODY}`)) resolve();
      },
      close: () => reject(new Error(`${contestant.name} closed a connection before it answered`)),
    },
  });
  socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");
  await promise;
  return socket;
}
