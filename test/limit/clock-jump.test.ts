import { describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { PRESENCE_SCRIPT } from "../../src/limit/presence-script.ts";
import { createMemoryState } from "../../src/store/memory-state.ts";
import { scriptReply } from "../../src/store/script-reply.ts";
import { startRedis } from "../support/redis.ts";

const START_MICROS = 1_700_000_000_000_000;
const HOUR_MICROS = 3_600_000_000;
const ALL = 1_000_000;

type Call = (micros: number, args: readonly string[]) => Promise<readonly unknown[]>;

function inMemory(): Call {
  let micros = START_MICROS;
  const state = createMemoryState(() => micros / 1000);
  return async (atMicros, args) => {
    micros = atMicros;
    state.begin();
    const reply = scriptReply(PRESENCE_SCRIPT.memory(state, { keys: ["k"], args: [...args] }));
    state.settle();
    return Array.isArray(reply) ? reply : [];
  };
}

function inRedis(client: Redis): Call {
  const clock = "(function() local n = tonumber(KEYS[2]) return { math.floor(n / 1000000), n % 1000000 } end)()";
  const lua = PRESENCE_SCRIPT.lua.replace("redis.call('TIME')", clock);
  return async (micros, args) => {
    const reply: unknown = await client.eval(lua, 2, "k", String(micros), ...args);
    return Array.isArray(reply) ? reply : [];
  };
}

/** Gateways that were away while the store's clock was hours ahead, and then on its way as before. */
async function jump(call: Call): Promise<readonly unknown[]> {
  const both = async (micros: number, action: string) => {
    await call(micros, [action, "g-a", "run1", "0", "0"]);
    return call(micros + 1, [action, "g-b", "run2", "0", "0"]);
  };
  await both(START_MICROS, "join");
  for (let turn = 0; turn < 14; turn++) {
    const ahead = START_MICROS + 3 * HOUR_MICROS + turn * 10_000_000;
    // They were silent for long: they have vanished, and come back.
    await both(ahead, "look");
    await both(ahead, "join");
  }
  await both(START_MICROS + 10_000_000, "join");
  return both(START_MICROS + 10_400_000, "beat");
}

/** What may be lent by that history: of all, in millionths. */
function fractionAt(micros: number, reply: readonly unknown[]): number {
  const [base = 0, fraction = 0, ...changes] = reply.slice(6).map(Number);
  expect(base).toBeLessThanOrEqual(micros);
  let sum = fraction;
  for (let i = 0; i < changes.length; i += 2) if ((changes[i] ?? 0) <= micros) sum += changes[i + 1] ?? 0;
  return sum;
}

describe("a store's clock that is hours ahead for a while", () => {
  test("withholds no shares until it is as late again", async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url);
    const replies = [await jump(inMemory()), await jump(inRedis(client))];
    client.disconnect();
    for (const reply of replies) {
      expect(reply[1]).toBe(1);
      expect(fractionAt(START_MICROS + 15_000_000, reply)).toBe(ALL);
    }
    expect(replies[0]?.map(String)).toEqual(replies[1]?.map(String) ?? []);
  });
});
