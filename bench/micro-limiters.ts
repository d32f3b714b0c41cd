import type { LimitSpec } from "../src/limit/limit.ts";
import { type RedisProcess, startRedis } from "../test/support/redis.ts";
import { CONTESTANTS, type Contestant } from "./limits/contestants.ts";
import { tableText } from "./limits/table.ts";

const ROUNDS = 3;
const ROUND_MS = 700;
/** Requests that wait for their verdicts at once. */
const AT_ONCE = 64;
/** Decisions between two looks at the sockets, where no verdict is waited for. */
const BATCH = 256;

interface Load {
  readonly name: string;
  readonly keys: number;
  readonly limit: number;
  /** Decisions in a second; as many as can be when absent. */
  readonly perSecond?: number;
}

const LOADS: readonly Load[] = [
  { name: "hot key, all admitted", keys: 1, limit: 1_000_000_000 },
  { name: "1,000 keys, all admitted", keys: 1000, limit: 1_000_000 },
  { name: "10,000 keys, all admitted", keys: 10_000, limit: 100_000 },
  { name: "hot key, nearly all refused", keys: 1, limit: 100 },
  { name: "hot key, 5,000 a second", keys: 1, limit: 1_000_000, perSecond: 5000 },
  { name: "10,000 keys, each every other second", keys: 10_000, limit: 10, perSecond: 5000 },
];

interface Figures {
  readonly decisions: number;
  readonly cpuUs: number;
  readonly redisUs: number;
  /** From the question to the verdict; only where the load is paced. */
  readonly p99Ms: number | null;
}

async function redisMicros(redis: RedisProcess): Promise<number> {
  const text = await redis.cli("info", "cpu");
  const of = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? 0);
  return (of("used_cpu_user") + of("used_cpu_sys")) * 1e6;
}

/** Keys one after the other, in a scattered order. */
class Asking {
  decisions = 0;
  /** How long each verdict took, where the load is paced. */
  tookMs: number[] = [];
  readonly #keys: readonly string[];
  readonly #contestant: Contestant;

  constructor(contestant: Contestant, keys: readonly string[]) {
    this.#contestant = contestant;
    this.#keys = keys;
  }

  /** Requests that got no verdict. */
  failed = 0;

  ask(): boolean | Promise<boolean> {
    const verdict = this.#contestant.take(this.#keys[(this.decisions++ * 7919) % this.#keys.length] ?? "");
    if (!(verdict instanceof Promise)) return verdict;
    return verdict.catch(() => {
      this.failed += 1;
      return false;
    });
  }
}

const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** As many at once as wait, without a pause. */
async function askAlways(asking: Asking, untilAt: number): Promise<void> {
  async function one(): Promise<void> {
    while (performance.now() < untilAt) {
      for (let left = BATCH; left > 0; left--) {
        const verdict = asking.ask();
        if (verdict instanceof Promise) await verdict;
      }
      await breath();
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** So many in a second. */
async function askPaced(asking: Asking, perSecond: number, untilAt: number): Promise<void> {
  const startedAt = performance.now();
  const open = new Set<Promise<boolean>>();
  for (let nowMs = startedAt; nowMs < untilAt; nowMs = performance.now()) {
    while (asking.decisions < ((nowMs - startedAt) / 1000) * perSecond) {
      const askedAt = performance.now();
      const verdict = asking.ask();
      const answered = (): void => void asking.tookMs.push(performance.now() - askedAt);
      if (verdict instanceof Promise) {
        open.add(verdict);
        void verdict.then(answered).finally(() => open.delete(verdict));
      } else answered();
    }
    await Bun.sleep(1);
  }
  await Promise.all(open);
}

async function round(redis: RedisProcess, asking: Asking, perSecond: number | undefined): Promise<Figures> {
  asking.decisions = 0;
  asking.tookMs = [];
  const redisBefore = await redisMicros(redis);
  const before = process.cpuUsage();
  const untilAt = performance.now() + ROUND_MS;
  await (perSecond === undefined ? askAlways(asking, untilAt) : askPaced(asking, perSecond, untilAt));
  const { user, system } = process.cpuUsage(before);
  const redisUs = (await redisMicros(redis)) - redisBefore;
  const sorted = asking.tookMs.toSorted((left, right) => left - right);
  const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? null;
  return { decisions: asking.decisions, cpuUs: user + system, redisUs, p99Ms };
}

/** The least of the rounds: what disturbs only adds. */
async function measured(redis: RedisProcess, contestant: Contestant, load: Load): Promise<readonly string[]> {
  const { name, keys, perSecond } = load;
  const names = Array.from({ length: keys }, (_, number) => `198.51.${number >> 8}.${number & 255}`);
  const asking = new Asking(contestant, names);
  await round(redis, asking, perSecond);
  const rounds: Figures[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round(redis, asking, perSecond));
  const least = (of: (figures: Figures) => number): number => Math.min(...rounds.map(of));
  const own = least(({ cpuUs, decisions }) => cpuUs / decisions);
  const redisOwn = least(({ redisUs, decisions }) => redisUs / decisions);
  const p99Ms = least((figures) => figures.p99Ms ?? Number.POSITIVE_INFINITY);
  const slow = Number.isFinite(p99Ms) ? p99Ms.toFixed(3) : "";
  const cells = [(own * 1000).toFixed(0), (redisOwn * 1000).toFixed(0), slow, String(asking.failed)];
  return [name, contestant.name, ...cells];
}

function specOf({ limit }: Load): LimitSpec {
  const name = crypto.randomUUID();
  return { name, algorithm: "token_bucket", limit, perMs: 1000, burst: limit, onStoreError: "local" };
}

async function main(): Promise<void> {
  await using redis = await startRedis();
  const rows: (readonly string[])[] = [["", "limiter", "ns a decision", "ns of Redis", "p99 ms", "failed"]];
  for (const load of LOADS) {
    for (const make of CONTESTANTS) {
      const contestant = await make({ url: redis.url, spec: specOf(load) });
      rows.push(await measured(redis, contestant, load));
      await contestant.close();
    }
  }
  console.log(tableText(rows));
}

if (import.meta.main) {
  await main();
  process.exit(0);
}
