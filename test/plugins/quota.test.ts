import { afterAll, describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import quota from "../../plugins/quota.ts";
import { keyReader } from "../../plugins/support/limit-key.ts";
import { keyOfTexts } from "../../plugins/support/limit-key-text.ts";
import { createMemoryLimits } from "../../src/limit/plugin-limits.ts";
import { type Ask, depsFor, type Reply, type Run, runChain } from "./support.ts";

type Options = Readonly<Record<string, unknown>>;

const counted: string[] = [];
const limits = createMemoryLimits((limit, outcome, mode) => counted.push(`${limit} ${outcome} ${mode}`));
afterAll(() => limits.close());

let names = 0;

function counting(options: Options = {}, { isShadow = false, route = `q${names++}` } = {}): MiddlewareHandler {
  const given = { limit: 2, by: "ip", ...("rolling" in options ? {} : { per: "day" }), ...options };
  return quota.provision(given, { ...depsFor(route, limits), isShadow });
}

async function runs(
  chain: readonly MiddlewareHandler[],
  count: number,
  reply: Reply = {},
  ask: Ask = {},
): Promise<Run[]> {
  const all: Run[] = [];
  for (let left = count; left > 0; left--) all.push(await runChain(chain, ask, reply));
  return all;
}

function statuses(all: readonly Run[]): readonly number[] {
  return all.map(({ answer }) => answer.status);
}

describe("a quota", () => {
  test("lets so many pass in its period, and says when it ends", async () => {
    const [first, , third] = await runs([counting({ name: "daily" })], 3);
    expect([first?.answer.status, third?.answer.status]).toEqual([200, 429]);
    expect(first?.answer.headers.get("ratelimit-policy")).toBe('"daily";q=2;w=86400');
    expect(first?.answer.headers.get("ratelimit")).toStartWith('"daily";r=1;t=');
    const waitS = Number(third?.answer.headers.get("retry-after"));
    expect(Math.abs(waitS - (86_400 - (Math.floor(Date.now() / 1000) % 86_400)))).toBeLessThan(3);
    expect(JSON.parse(third?.answer.text ?? "")).toMatchObject({
      code: "rate_limited",
      "violated-policies": ["daily"],
    });
    expect(third?.exchange.decisions).toEqual([{ policy: "quota", outcome: "refused", about: "daily" }]);
    expect(counted.filter((line) => line.startsWith("daily"))).toEqual([
      "daily admitted leased",
      "daily admitted leased",
      "daily refused leased",
    ]);
  });

  test.each([
    [{ per: "week", timeZone: "Europe/Berlin" }, "w=604800"],
    [{ per: "month" }, "w=2592000"],
    [{ rolling: "24h" }, "w=86400"],
  ])("of %j counts as well", async (options, window) => {
    const all = await runs([counting(options)], 3);
    expect(statuses(all)).toEqual([200, 200, 429]);
    expect(all[0]?.answer.headers.get("ratelimit-policy")).toEndWith(window);
  });

  test("takes what the response says that it cost", async () => {
    const reply: Reply = { headers: [["x-tokens", "60"]] };
    const chain = [counting({ limit: 100, cost: { header: "x-tokens", reserve: 10, remove: true } })];
    const all = await runs(chain, 3, reply);
    expect(statuses(all)).toEqual([200, 200, 429]);
    expect(all[0]?.answer.headers.has("x-tokens")).toBe(false);
  });

  test("gives back what it took for a request that a limit further in refused", async () => {
    const outer = counting({ name: "outer", limit: 5 });
    const inner = counting({ name: "inner", limit: 1 });
    expect(statuses(await runs([outer, inner], 4))).toEqual([200, 429, 429, 429]);
    expect(statuses(await runs([outer], 5))).toEqual([200, 200, 200, 200, 429]);
  });

  test("counts and refuses nobody in shadow, and exempts who is listed", async () => {
    const shadow = await runs([counting({ name: "shadowed" }, { isShadow: true })], 3);
    expect(statuses(shadow)).toEqual([200, 200, 200]);
    expect(shadow[0]?.answer.headers.has("ratelimit")).toBe(false);
    expect(counted).toContain("shadowed shadow_refused leased");
    const exempt = await runs([counting({ allow: ["192.0.2.0/24"] })], 3, {}, { address: "192.0.2.7" });
    expect(statuses(exempt)).toEqual([200, 200, 200]);
  });

  test("of one name must be one quota", () => {
    counting({ name: "same" });
    expect(() => counting({ name: "same", limit: 3 })).toThrow("another limit is named same");
    expect(() => counting({ name: "same", per: "week" })).toThrow("another limit is named same");
    expect(() => counting({ name: "same", by: "host" })).toThrow("another limit is named same");
  });
});

describe("a key that is written by hand", () => {
  const rows: readonly [string, readonly string[], Ask][] = [
    ["ip", ["192.0.2.1"], { address: "192.0.2.1" }],
    ["ip", ["2001:db8:1:2:3::4"], { address: "2001:db8:1:2::9" }],
    ["ip/56", ["2001:db8:1:2ff::1"], { address: "2001:db8:1:200::" }],
    ["header.x-a", ["a+b"], { headers: [["x-a", "a+b"]] }],
    // As bytes come: UTF-8.
    ["header.x-a", ["é"], { headers: [["x-a", "\u00c3\u00a9"]] }],
    ["cookie.s", ["é"], { headers: [["cookie", "s=\u00c3\u00a9"]] }],
    ["query.q", ["é"], { target: "/?q=%C3%A9" }],
    ["header.x-a", ["y".repeat(500)], { headers: [["x-a", "y".repeat(500)]] }],
    ["header.x-a+header.x-b", ["1", ""], { headers: [["x-a", "1"]] }],
  ];
  test.each(rows)("by %s as %j is the one of the request", async (by, texts, ask) => {
    const keys: (string | null)[] = [keyOfTexts(by)(texts)];
    const read = keyReader(by);
    const note: MiddlewareHandler = (context, next) => {
      keys.push(read(context as never));
      return next();
    };
    await runChain([note], ask);
    expect(keys[1]).toBe(keys[0] ?? "none");
  });

  test("is none where parts or addresses are not", () => {
    expect(keyOfTexts("ip")(["nobody"])).toBeNull();
    expect(keyOfTexts("ip+host")(["192.0.2.1"])).toBeNull();
    expect(keyOfTexts("host")(["a", "b"])).toBeNull();
  });
});
