import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startReady, type Workers } from "../supervisor/support.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { startGateway } from "../support.ts";
import { limitedRoutes as routes } from "./rate-limit-support.ts";

setDefaultTimeout(60_000);

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PER_MS = 2000;
const LIMIT = 200;

const ALGORITHMS = ["fixed_window", "sliding_window"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

function start(redis: RedisProcess, algorithm: Algorithm): Promise<Workers> {
  const options = { limit: LIMIT, per: `${PER_MS}ms`, algorithm };
  return startReady({
    workers: 1,
    torii: { redis: redis.url, telemetry: { accessLog: { enabled: false } } },
    files: { "routes/main.ts": "export default {};", "routes/api.yaml": JSON.stringify(routes(options)) },
  });
}

/** When a request was sent and its answer was there, in milliseconds since 1970: in between it was decided. */
interface Answered {
  readonly status: number;
  readonly sentAt: number;
  readonly doneAt: number;
}

interface Load {
  readonly answers: Answered[];
  stop(): Promise<void>;
}

/** Asks over four connections to each port without a pause; one that ends is no longer asked. */
function ask(ports: readonly number[]): Load {
  const answers: Answered[] = [];
  let isStopped = false;
  async function work(port: number): Promise<void> {
    using client = await connect({ port });
    while (!isStopped) {
      const sentAt = performance.timeOrigin + performance.now();
      await client.send(GET);
      const { status } = await client.response();
      answers.push({ status, sentAt, doneAt: performance.timeOrigin + performance.now() });
      await Bun.sleep(3);
    }
  }
  const all = ports.flatMap((port) => Array.from({ length: 4 }, () => work(port).catch(() => {})));
  return {
    answers,
    async stop() {
      isStopped = true;
      await Promise.all(all);
    },
  };
}

function admitted(answers: readonly Answered[]): readonly Answered[] {
  return answers.filter(({ status }) => status === 200);
}

/** The most that were decided for certain within one aligned window, or within any time of its length. */
function mostOf(answers: readonly Answered[], algorithm: Algorithm): number {
  const all = admitted(answers);
  const startOf = ({ sentAt }: Answered) =>
    algorithm === "fixed_window" ? Math.floor(sentAt / PER_MS) * PER_MS : sentAt;
  const within = (from: number) => all.filter(({ sentAt, doneAt }) => sentAt >= from && doneAt < from + PER_MS).length;
  return all.reduce((most, one) => Math.max(most, within(startOf(one))), 0);
}

describe.each(ALGORITHMS)("a %s that gateways share through Redis", (algorithm) => {
  test("holds over both of them, through the kill of one, and is used", async () => {
    await using redis = await startRedis();
    await using one = await start(redis, algorithm);
    const two = await start(redis, algorithm);
    await using _two = two;
    await eventually(async () => (await one.metric("torii_limits_gateways")) === 2, "both to know of each other");
    const load = ask([one.port, two.port]);
    const startedAt = performance.timeOrigin + performance.now();
    await Bun.sleep(3 * PER_MS);
    const beforeKill = admitted(load.answers).length;
    two.torii.signal("SIGKILL");
    const killedAt = performance.timeOrigin + performance.now();
    await Bun.sleep(3 * PER_MS);
    await load.stop();
    expect(load.answers.filter(({ status }) => status !== 200 && status !== 429)).toEqual([]);
    expect(mostOf(load.answers, algorithm)).toBeLessThanOrEqual(LIMIT);
    expect(beforeKill).toBeGreaterThan(((0.85 * LIMIT) / PER_MS) * (killedAt - startedAt));
    // The share of the one that is gone is withheld: the other has half of each window, at least.
    const afterwards = admitted(load.answers).length - beforeKill;
    expect(afterwards).toBeGreaterThan(LIMIT);
    expect(await one.metric("torii_limits_gateways_vanished")).toBe(1);
  });

  test("answers no 5xx and holds when Redis is away and comes back", async () => {
    await using redis = await startRedis();
    await using one = await start(redis, algorithm);
    await using two = await start(redis, algorithm);
    await eventually(async () => (await one.metric("torii_limits_gateways")) === 2, "both to know of each other");
    const load = ask([one.port, two.port]);
    await eventually(() => admitted(load.answers).length > 100, "some load");
    process.kill(redis.pid, "SIGSTOP");
    const inMode = (gateway: Workers, mode: string) =>
      eventually(async () => (await gateway.metric(`torii_limits_mode{mode="${mode}"}`)) === 1, mode, 20_000);
    await Promise.all([inMode(one, "local"), inMode(two, "local")]);
    const before = admitted(load.answers).length;
    await eventually(() => admitted(load.answers).length > before + LIMIT, "shares to be spent", 20_000);
    process.kill(redis.pid, "SIGCONT");
    await Promise.all([inMode(one, "leased"), inMode(two, "leased")]);
    await Bun.sleep(2 * PER_MS);
    await load.stop();
    expect(load.answers.filter(({ status }) => status !== 200 && status !== 429)).toEqual([]);
    expect(mostOf(load.answers, algorithm)).toBeLessThanOrEqual(LIMIT);
  });
});

describe.each(ALGORITHMS)("a %s of one process", (algorithm) => {
  test("refuses, tells clients its numbers, and counts in log and metrics", async () => {
    const options = { limit: 2, per: "100d", algorithm, headers: "both" };
    await using gateway = await startGateway({ routes: routes(options) });
    const first = await gateway.exchange(GET);
    expect([first.status, (await gateway.exchange(GET)).status]).toEqual([200, 200]);
    expect(header(first, "ratelimit-policy")).toBe('"api";q=2;w=8640000');
    expect(header(first, "ratelimit")).toMatch(/^"api";r=1;t=\d+$/);
    const refused = await gateway.exchange(GET);
    expect(refused.status).toBe(429);
    const seconds = Number(header(refused, "retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(algorithm === "fixed_window" ? 8_640_000 : 8_784_001);
    expect(header(refused, "ratelimit")).toBe(`"api";r=0;t=${seconds}`);
    expect(header(refused, "x-ratelimit-limit")).toBe("2");
    const line = await gateway.logged(({ status }) => status === 429);
    expect(line["decisions"]).toEqual([{ policy: "rate_limit", outcome: "refused", about: "api" }]);
    const text = await gateway.gateway.metrics.render();
    expect(text).toContain('torii_rate_limit_decisions_total{limit="api",outcome="refused",mode="leased"} 1');
    expect(text).toContain('torii_limits_keys{limit="api"} 1');
  });
});
