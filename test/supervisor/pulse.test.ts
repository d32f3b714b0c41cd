import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPulse, type PulseLimits } from "../../src/supervisor/pulse.ts";
import { createSupervisor, type Supervisor } from "../../src/supervisor/supervisor.ts";
import { connect, exchange } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { readSetup, type Setup } from "./setup.ts";
import { GET, isAlive } from "./support.ts";

// Every test starts processes.
setDefaultTimeout(60_000);

interface Running extends AsyncDisposable {
  readonly setup: Setup;
  readonly supervisor: Supervisor;
  /** The process ids of both workers. */
  readonly pids: readonly number[];
  ask(): Promise<number>;
  metric(sample: string): Promise<number | null>;
  readyStatus(): Promise<number>;
}

async function start(pulse: PulseLimits): Promise<Running> {
  const setup = await readSetup();
  const supervisor = await createSupervisor({ ...setup.options, pulse });
  const { port, statusPort } = setup;
  const ask = async () => Number((await exchange({ port }, GET)).body.toString());
  const status = (path: string) => fetch(`http://127.0.0.1:${statusPort}${path}`);
  const pids = new Set<number>();
  await eventually(async () => pids.add(await ask()).size === 2, "both workers to answer");
  return {
    setup,
    supervisor,
    pids: [...pids],
    ask,
    async metric(sample) {
      const line = (await (await status("/metrics")).text()).split("\n").find((each) => each.startsWith(`${sample} `));
      return line === undefined ? null : Number(line.slice(sample.length + 1));
    },
    readyStatus: async () => (await status("/readyz")).status,
    async [Symbol.asyncDispose]() {
      for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGCONT");
      await supervisor.drain();
      await setup[Symbol.asyncDispose]();
    },
  };
}

/** Stops the first worker; new connections go to the other one from then on. */
async function stopFirst({ pids, setup }: Running): Promise<readonly [number, number]> {
  const [stopped = 0, other = 0] = pids;
  process.kill(stopped, "SIGSTOP");
  await eventually(() => setup.log.join("").includes("does not answer"), "the silence to be noticed");
  return [stopped, other];
}

describe("a worker that is stopped", () => {
  test("gets no new connections, is replaced, and its successor serves what waited for it", async () => {
    await using running = await start({ everyMs: 50, silentMs: 100, hungMs: 3000 });
    const { setup, ask, metric, readyStatus } = running;
    const { port } = setup;
    const [, before = 0] = running.pids;
    process.kill(running.pids[0] ?? 0, "SIGSTOP");
    // Some of these come to its queue, before anybody can know.
    const early = Array.from({ length: 8 }, () => connect({ port }));
    const clients = await Promise.all(early);
    for (const client of clients) await client.send(GET);
    const [stopped, other] = await stopFirst(running);
    expect(other).toBe(before);
    for (let at = 0; at < 30; at++) expect(await ask()).toBe(other);
    expect(isAlive(stopped)).toBe(true);
    expect(await readyStatus()).toBe(200);
    await eventually(async () => (await metric('torii_worker_restarts_total{reason="hung"}')) === 1, "a replacement");
    expect(isAlive(stopped)).toBe(false);
    for (const client of clients) {
      expect((await client.response()).status).toBe(200);
      client[Symbol.dispose]();
    }
    const seen = new Set<number>();
    await eventually(async () => seen.add(await ask()).size === 2, "both slots to answer");
    expect(seen.has(stopped)).toBe(false);
    expect(await metric('torii_worker_restarts_total{reason="crash"}')).toBeNull();
    expect(setup.log.join("")).toMatch(/"level":50[^\n]*"silentMs":3000[^\n]*worker hangs and is killed/);
  });

  test("lives on and gets connections again when it goes on in time", async () => {
    await using running = await start({ everyMs: 50, silentMs: 100, hungMs: 600_000 });
    const { setup, ask, metric } = running;
    const [stopped, other] = await stopFirst(running);
    expect(await ask()).toBe(other);
    process.kill(stopped, "SIGCONT");
    await eventually(async () => (await ask()) === stopped, "connections to come to it again");
    expect(setup.log.join("")).toContain("worker answers again");
    expect(await metric('torii_worker_restarts_total{reason="hung"}')).toBeNull();
  });

  test("makes the gateway unready when no other answers", async () => {
    await using running = await start({ everyMs: 50, silentMs: 100, hungMs: 600_000 });
    const { pids, readyStatus } = running;
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    await eventually(async () => (await readyStatus()) === 503, "it to be unready");
    for (const pid of pids) process.kill(pid, "SIGCONT");
    await eventually(async () => (await readyStatus()) === 200, "it to be ready again");
  });
});

test("who is excused is silent, but not given up until the excuse is over", async () => {
  let isExcused = true;
  let looks = 0;
  const hung = Promise.withResolvers<void>();
  const pulse = createPulse({
    limits: { everyMs: 1, silentMs: 2, hungMs: 3 },
    ask() {},
    isExcused: () => ++looks > 0 && isExcused,
    onChange() {},
    onHung: hung.resolve,
  });
  await eventually(() => looks > 5, "some looks");
  expect([pulse.isSilent, pulse.isHung]).toEqual([true, false]);
  isExcused = false;
  await hung.promise;
  expect(pulse.isHung).toBe(true);
  pulse.close();
});
