import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { BUCKET_SCRIPT } from "../../src/limit/bucket-script.ts";
import { PRESENCE_SCRIPT } from "../../src/limit/presence-script.ts";
import { LEDGER_SCRIPT, QUOTA_SCRIPT } from "../../src/limit/quota-script.ts";
import { SLOTS_SCRIPT } from "../../src/limit/slots-script.ts";
import { WINDOW_SCRIPT } from "../../src/limit/window-script.ts";
import { createMemoryState } from "../../src/store/memory-state.ts";
import { scriptReply } from "../../src/store/script-reply.ts";
import type { StoreScript } from "../../src/store/store.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { chance } from "./world.ts";

const START_MICROS = 1_700_000_000_000_000;

let redis: RedisProcess;
let client: Redis;
beforeAll(async () => {
  redis = await startRedis();
  client = new Redis(redis.url);
});
afterAll(async () => {
  client.disconnect();
  await redis[Symbol.asyncDispose]();
});

/** The script with a clock that the test moves, as its last key. */
function movable(lua: string): string {
  const clock = "(function() local n = tonumber(KEYS[2]) return { math.floor(n / 1000000), n % 1000000 } end)()";
  return lua.replace("redis.call('TIME')", clock);
}

/** Runs random calls on Redis and on the memory twin: after each, the answers and what is stored must be the same. */
async function compare(script: StoreScript<unknown>, seed: number, nextArgs: (step: Step) => string[]): Promise<void> {
  await client.flushall();
  const random = chance(seed);
  const lua = movable(script.lua);
  let micros = START_MICROS;
  const state = createMemoryState(() => micros / 1000);
  for (let call = 0; call < 60; call++) {
    micros += Math.floor(random() ** 4 * 8_000_000) - (random() < 0.03 ? 3_000_000 : 0);
    const args = nextArgs({ random, micros, call });
    state.begin();
    const expected = scriptReply(script.memory(state, { keys: ["k"], args }));
    const stored = Object.fromEntries(state.hash("k"));
    state.settle();
    const answer = await client.eval(lua, 2, "k", String(micros), ...args);
    expect({ seed, call, args, answer }).toEqual({ seed, call, args, answer: expected as never });
    expect({ seed, call, args, stored: await client.hgetall("k") }).toEqual({ seed, call, args, stored });
    if (Object.keys(stored).length > 0) expect(await client.pttl("k")).toBeGreaterThan(0);
  }
}

interface Step {
  readonly random: () => number;
  readonly micros: number;
  readonly call: number;
}

function pick<T>(random: () => number, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

/** What gateways with two configurations might send, and what none should. */
function bucketArgs(): (step: Step) => string[] {
  const spent = new Map<string, number>();
  return ({ random, micros, call }) => {
    const field = `n${Math.floor(random() * 3)}`;
    const s = (spent.get(field) ?? 0) + Math.floor(random() ** 2 * 20e6);
    spent.set(field, s);
    const known = Math.max(0, s + Math.floor((random() - 0.5) * 20e6));
    const limit = pick(random, [10_000_000, 10_000_000, 10_000_000, 5_000_000, 333_333]);
    const unit = pick(random, [1_000_000, 1_000_000, 500_000, 1]);
    const want = random() < 0.3 ? 0 : Math.floor(random() * 10e6) + unit;
    const sequence = random() < 0.1 ? call - 5 : call + 1;
    const give = random() < 0.2 ? Math.floor(random() * 5e6) : 0;
    const view = random() < 0.3 ? -1 : micros - Math.floor(random() * 2_000_000);
    const numbers = [limit, 1_000_000, pick(random, [10_000_000, 20_000_000]), field, Math.max(0, sequence), s, known];
    const asked = [want, random() < 0.5 ? unit : Math.max(1, Math.min(want, unit)), unit, give];
    const changes = random() < 0.5 ? [] : [micros - 2_000_000, -250_000, micros + 500_000, 250_000];
    const base = random() < 0.1 ? [micros - 4_000_000, 750_000] : [0, 1_000_000];
    return [
      ...numbers,
      ...asked,
      Math.floor(random() * 1e6),
      view,
      65_000,
      pick(random, [3e6, 3e6, 300_000]),
      ...base,
      ...changes,
    ].map(String);
  };
}

function presenceArgs({ random, micros }: Step): string[] {
  const id = `g${Math.floor(random() * 4)}`;
  const action = pick(random, ["beat", "beat", "beat", "join", "join", "look", "bye"]);
  const latest = random() < 0.5 ? 0 : micros + Math.floor((random() - 0.2) * 1e6);
  const run = random() < 0.9 ? `${id}r1` : `${id}r2`;
  const peers = random() < 0.2 ? ["g7", "250000", "g1", "300000"] : [];
  return [action, id, run, String(Math.floor(random() * 1e6)), String(latest), ...peers];
}

/** A window of some seconds, fixed or sliding, with three gateways and shares that come and go. */
function windowArgs(isSliding: boolean): (step: Step) => string[] {
  const ofBucket = bucketArgs();
  return (step) => {
    const { random, micros } = step;
    const [, , , ...lease] = ofBucket(step).slice(0, 12);
    // Redis keeps a key longer than the moved clock says: only a call that looks at it would notice that it is over.
    const view = random() < 0.3 ? -1 : micros - Math.floor(random() * 1_000_000);
    const limit = pick(random, [10_000_000, 10_000_000, 20_000_000, 333_333]);
    const changes = Array.from({ length: Math.floor(random() * 5) }, () => micros - Math.floor(random() * 12e6));
    const parts = changes.sort((a, b) => a - b).flatMap((when, at) => [when, at % 2 === 0 ? -250_000 : 250_000]);
    const ages = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * 2e6)).sort(
      (a, b) => a - b,
    );
    const spends = ages.map((age) => `${age}:${Math.floor(random() * 3e6)};`).join("");
    return [limit, 5_000_000, isSliding ? 1 : 0, ...lease, view, spends, 0, 1_000_000, ...parts].map(String);
  };
}

/** Slots that gateways keep, need and want, in and out of order. */
function slotsArgs({ random, micros, call }: Step): string[] {
  const keep = Math.floor(random() ** 2 * 12);
  const need = random() < 0.5 ? keep : keep + 1 + Math.floor(random() * 2);
  const want = random() < 0.3 ? keep : need + Math.floor(random() * 6);
  const view = random() < 0.3 ? -1 : micros - Math.floor(random() * 2_000_000);
  const changes = random() < 0.5 ? [] : [micros - 2_000_000, -250_000, micros + 500_000, 250_000];
  const sequence = random() < 0.1 ? Math.max(0, call - 5) : call + 1;
  const limit = pick(random, [10, 10, 20, 1]);
  return [limit, `n${Math.floor(random() * 4)}`, sequence, keep, need, want, view, 0, 1_000_000, ...changes].map(
    String,
  );
}

/** One key of a quota with three gateways, over a day of some minutes or a window that rolls. */
function quotaArgs(isRolling: boolean): (step: Step) => string[] {
  const spent = new Map<string, number>();
  return ({ random, micros, call }) => {
    const field = `n${Math.floor(random() * 3)}`;
    const s = Math.max(0, (spent.get(field) ?? 0) + Math.floor((random() ** 2 - 0.1) * 8e6));
    spent.set(field, s);
    const known = Math.max(0, s - Math.floor(random() * 6e6));
    const start = Math.floor(micros / 40e6) * 40e6 + (random() < 0.05 ? 40e6 : 0);
    const frame = isRolling ? [0, 0, 60e6] : [start, start + 40e6, 0];
    const unit = pick(random, [1_000_000, 1_000_000, 500_000, 1]);
    const need = random() < 0.3 ? 0 : unit;
    const want = random() < 0.3 ? 0 : need + Math.floor(random() * 20e6);
    const sequence = random() < 0.1 ? Math.max(0, call - 5) : call + 1;
    const give = random() < 0.2 ? Math.floor(random() * 5e6) : 0;
    return [100e6, ...frame, field, sequence, s, known, want === 0 ? 0 : need, want, unit, give].map(String);
  };
}

function ledgerArgs({ random, micros }: Step): string[] {
  const start = Math.floor(micros / 40e6) * 40e6;
  const expected = random() < 0.5 ? -1 : 5e6;
  const change = pick(random, [
    ["", ""],
    ["5000000", ""],
    ["-3000000", ""],
    ["", "5000000"],
    ["", "0"],
  ]);
  return [100e6, start, start + 40e6, 0, "", expected].map(String).concat(change);
}

describe("what Redis runs and what a memory store runs", () => {
  test("is the same step for a bucket, whatever is asked in whatever order", async () => {
    for (let seed = 0; seed < 60; seed++) await compare(BUCKET_SCRIPT, seed, bucketArgs());
  });

  test("is the same step for the presence of gateways", async () => {
    for (let seed = 0; seed < 40; seed++) await compare(PRESENCE_SCRIPT, seed, presenceArgs);
  });

  test("is the same step for slots", async () => {
    for (let seed = 0; seed < 40; seed++) await compare(SLOTS_SCRIPT, seed, slotsArgs);
  });

  test("is the same step for a quota, of a period or rolling", async () => {
    for (let seed = 0; seed < 40; seed++) await compare(QUOTA_SCRIPT, seed, quotaArgs(seed % 2 === 0));
  });

  test("is the same step for a window, fixed or sliding", async () => {
    for (let seed = 0; seed < 60; seed++) await compare(WINDOW_SCRIPT, seed, windowArgs(seed % 2 === 0));
  });

  test("is the same step for the ledger", async () => {
    for (let seed = 0; seed < 20; seed++) await compare(LEDGER_SCRIPT, seed, ledgerArgs);
  });
});
