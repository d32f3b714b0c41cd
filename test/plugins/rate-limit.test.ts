import { afterAll, describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import rateLimit from "../../plugins/rate-limit.ts";
import { createMemoryLimits } from "../../src/limit/plugin-limits.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { type Ask, depsFor, type Reply, type Run, runChain } from "./support.ts";

type Options = Readonly<Record<string, unknown>>;

const counted: string[] = [];
const limits = createMemoryLimits((limit, outcome, mode) => counted.push(`${limit} ${outcome} ${mode}`));
afterAll(() => limits.close());

let names = 0;

/** A limit of its own for each test: two in an hour unless it says otherwise. */
function limited(options: Options = {}, { isShadow = false, route = `r${names++}` } = {}): MiddlewareHandler {
  const given = { limit: 2, per: "1h", by: "ip", ...options };
  return rateLimit.provision(given, { ...depsFor(route, limits), isShadow });
}

const with_ =
  (name: string, value: unknown): MiddlewareHandler =>
  (c, next) => {
    c.set(name, value);
    return next();
  };

async function statuses(chain: readonly MiddlewareHandler[], asks: readonly Ask[]): Promise<readonly number[]> {
  const found: number[] = [];
  for (const ask of asks) found.push((await runChain(chain, ask)).answer.status);
  return found;
}

function times<Item>(count: number, item: Item): Item[] {
  return Array.from({ length: count }, () => item);
}

async function last(chain: readonly MiddlewareHandler[], asks: readonly Ask[], reply: Reply = {}): Promise<Run> {
  let run: Run | null = null;
  for (const ask of asks) run = await runChain(chain, ask, reply);
  if (run === null) throw new Error("nothing was asked");
  return run;
}

describe("a rate limit", () => {
  test("lets its burst pass and refuses the rest with the problem of the draft", async () => {
    const chain = [limited({ name: "per-ip" })];
    const { answer, received, exchange } = await last(chain, times(3, {}));
    expect(answer.status).toBe(429);
    expect(received).toEqual([]);
    expect(JSON.parse(answer.text)).toEqual({
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "Too many requests",
      status: 429,
      detail: "The limit per-ip is reached.",
      instance: "urn:torii:request:req-1",
      retryAfter: 1800,
      code: "rate_limited",
      "violated-policies": ["per-ip"],
    });
    expect(answer.headers.get("retry-after")).toBe("1800");
    expect(answer.headers.get("ratelimit-policy")).toBe('"per-ip";q=2;w=3600');
    expect(answer.headers.get("ratelimit")).toBe('"per-ip";r=0;t=1800');
    expect(exchange.decisions).toEqual([{ policy: "rate_limit", outcome: "refused", about: "per-ip" }]);
    expect(counted.filter((line) => line.startsWith("per-ip"))).toEqual([
      "per-ip admitted leased",
      "per-ip admitted leased",
      "per-ip refused leased",
    ]);
  });

  test("tells what is left on responses that it lets pass", async () => {
    const { answer } = await runChain([limited({ name: "left", limit: 10 })], {});
    expect(answer.headers.get("ratelimit-policy")).toBe('"left";q=10;w=3600');
    expect(answer.headers.get("ratelimit")).toBe('"left";r=9;t=360');
  });

  test("tells it on responses too whose headers cannot be changed", async () => {
    const elsewhere: MiddlewareHandler = async () => Response.redirect("https://example.com/");
    const { answer } = await runChain([limited({ name: "moved", limit: 10 }), elsewhere]);
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "https://example.com/"]);
    expect(answer.headers.get("ratelimit")).toBe('"moved";r=9;t=360');
  });

  test("is answered to a gRPC call with RESOURCE_EXHAUSTED", async () => {
    const headers = [["content-type", "application/grpc"]] as const;
    const { answer } = await last([limited({ limit: 1 })], times(2, { headers }));
    expect([answer.status, answer.headers.get("grpc-status")]).toEqual([200, "8"]);
    expect(answer.headers.get("retry-after")).toBe("3600");
  });

  test("that a request can never meet says so, and names no time", async () => {
    const by = () => "one";
    const { answer } = await runChain([limited({ by, cost: () => 5 })]);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, null]);
    expect(JSON.parse(answer.text).detail).toContain("costs more than");
  });

  test("takes the names of the fields that it is told", async () => {
    const legacy = await runChain([limited({ headers: "legacy", limit: 10 })]);
    expect(legacy.answer.headers.get("x-ratelimit-limit")).toBe("10");
    expect(legacy.answer.headers.get("x-ratelimit-remaining")).toBe("9");
    expect(legacy.answer.headers.get("x-ratelimit-reset")).toBe("360");
    expect(legacy.answer.headers.has("ratelimit")).toBe(false);
    const both = await runChain([limited({ headers: "both" })]);
    expect([both.answer.headers.has("ratelimit"), both.answer.headers.has("x-ratelimit-limit")]).toEqual([true, true]);
    const off = await last([limited({ headers: "off", limit: 1 })], times(2, {}));
    expect([...off.answer.headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([]);
    expect(off.answer.headers.get("retry-after")).toBe("3600");
  });

  test.each([
    [{ limit: 10, per: "250ms" }, "q=40;w=1"],
    [{ limit: 10, per: "1500ms" }, "q=13;w=2"],
    [{ limit: 0.5, per: "1s" }, "q=1;w=2"],
    [{ limit: 100, per: "1m" }, "q=100;w=60"],
    [{ limit: 1, per: "30d" }, "q=1;w=2592000"],
  ])("of %j is told in whole numbers as %s", async (options, policy) => {
    const { answer } = await runChain([limited(options)]);
    expect(answer.headers.get("ratelimit-policy")).toEndWith(policy);
  });
});

describe("keys", () => {
  const pairs: readonly [unknown, Ask, Ask, boolean][] = [
    ["ip", { address: "192.0.2.1" }, { address: "192.0.2.2" }, false],
    ["ip", { address: "192.0.2.1" }, { address: "::ffff:192.0.2.1" }, true],
    ["ip", { address: "2001:db8:1:2::1" }, { address: "2001:db8:1:2:ffff::9" }, true],
    ["ip", { address: "2001:db8:1:2::1" }, { address: "2001:db8:1:3::1" }, false],
    ["ip/56", { address: "2001:db8:1:200::1" }, { address: "2001:db8:1:2ff::1" }, true],
    ["ip/128", { address: "2001:db8::1" }, { address: "2001:db8::2" }, false],
    ["ip/60", { address: "2001:db8:0:10::1" }, { address: "2001:db8:0:1f::1" }, true],
    ["ip/60", { address: "2001:db8:0:10::1" }, { address: "2001:db8:0:20::1" }, false],
    ["header.x-a", { headers: [["X-A", "1"]] }, { headers: [["x-a", "1"]] }, true],
    ["header.x-a", { headers: [["x-a", "1"]] }, { headers: [["x-a", "2"]] }, false],
    ["header.x-a", { headers: [["x-a", ""]] }, {}, true],
    ["header.x-a", { headers: [["x-a", "-"]] }, {}, false],
    ["cookie.s", { headers: [["cookie", "a=1; s=7"]] }, { headers: [["cookie", 's="7"']] }, true],
    ["cookie.s", { headers: [["cookie", "s=7"]] }, { headers: [["cookie", "s=8"]] }, false],
    ["query.k", { target: "/?k=1&x=2" }, { target: "/y?k=1" }, true],
    ["query.k", { target: "/?k=1" }, { target: "/?k=2" }, false],
    ["host", { authority: "a.example.com:8080" }, { authority: "a.example.com" }, true],
    ["host", { authority: "a.example.com" }, { authority: "b.example.com" }, false],
    ["route", { address: "192.0.2.1" }, { address: "192.0.2.2" }, true],
    ["ip+header.x-a", { headers: [["x-a", "1"]] }, { headers: [["x-a", "2"]] }, false],
    [
      "header.x-a+header.x-b",
      {
        headers: [
          ["x-a", "12"],
          ["x-b", "3"],
        ],
      },
      {
        headers: [
          ["x-a", "1"],
          ["x-b", "23"],
        ],
      },
      false,
    ],
    [
      "header.x-a+header.x-b",
      { headers: [["x-a", "1=2"]] },
      {
        headers: [
          ["x-a", "1"],
          ["x-b", "2"],
        ],
      },
      false,
    ],
  ];
  test.each(pairs)("by %j of %j and %j are one: %p", async (by, first, second, isOne) => {
    const chain = [limited({ by, limit: 1 })];
    expect(await statuses(chain, [first, second])).toEqual([200, isOne ? 429 : 200]);
  });

  test("of any length and any bytes are told apart", async () => {
    const long = "x".repeat(10_000);
    const binary = "\x80\xff\tdéjà";
    const chain = [limited({ by: "header.x-a", limit: 1 })];
    const ask = (value: string): Ask => ({ headers: [["x-a", value]] });
    expect(
      await statuses(chain, [ask(`${long}a`), ask(`${long}b`), ask(binary), ask("\x80\xff"), ask(`${long}a`)]),
    ).toEqual([200, 200, 200, 200, 429]);
  });

  test("by a claim read verified claims only, by name or path", async () => {
    const token = `x.${btoa(JSON.stringify({ sub: "ann" }))}.y`;
    const chain = (claims: unknown, by = "jwt.sub") => [
      with_("jwtPayload", claims),
      limited({ by, limit: 1 }, { route }),
    ];
    const route = "claims";
    const bearer: Ask = { headers: [["authorization", `Bearer ${token}`]] };
    expect(await statuses(chain({ sub: "ann" }), [{}])).toEqual([200]);
    expect(await statuses(chain({ sub: "bob" }), [{}])).toEqual([200]);
    expect(await statuses(chain({ sub: "ann" }), [{}])).toEqual([429]);
    // No one is who only says so: all of these are the same nobody.
    expect(await statuses(chain(undefined), [bearer, {}])).toEqual([200, 429]);
    expect(await statuses(chain({ sub: ["ann"] }), [{}])).toEqual([429]);
    const nested = limited({ by: "jwt.realm.team", limit: 1 });
    expect(await statuses([with_("jwtPayload", { realm: { team: 7 } }), nested], [{}, {}])).toEqual([200, 429]);
    expect(await statuses([with_("jwtPayload", { realm: { team: 8 } }), nested], [{}])).toEqual([200]);
  });

  test("by API key are whom a plugin before found it to belong to", async () => {
    const limit = limited({ by: "apikey", limit: 1 });
    const ask: Ask = { headers: [["x-api-key", "secret"]] };
    expect(await statuses([with_("apiKey", "shop"), limit], [ask, ask])).toEqual([200, 429]);
    expect(await statuses([with_("apiKey", "app"), limit], [ask])).toEqual([200]);
    expect(await statuses([limit], [ask, {}])).toEqual([200, 429]);
  });

  test("by a function of the context are its texts; nothing is one key as well", async () => {
    const by = (c: { req: { header(name: string): string | undefined } }) => c.req.header("x-a");
    const numbered = [
      limited({ by: (c: { req: { query(name: string): string } }) => Number(c.req.query("n")), limit: 1 }),
    ];
    expect(await statuses(numbered, [{ target: "/?n=1" }, { target: "/?n=2" }, { target: "/?n=2" }])).toEqual([
      200, 200, 429,
    ]);
    const chain = [limited({ by, limit: 1 })];
    expect(await statuses(chain, [{ headers: [["x-a", "1"]] }, { headers: [["x-a", "2"]] }, {}, {}])).toEqual([
      200, 200, 200, 429,
    ]);
  });
});

describe("costs", () => {
  test("are a number, or what a function says; nothing costs nothing", async () => {
    expect(await statuses([limited({ limit: 5, cost: 2 })], times(3, {}))).toEqual([200, 200, 429]);
    const cost = (c: { req: { query(name: string): string | undefined } }) => Number(c.req.query("n"));
    const asks = ["/?n=3", "/?n=0", "/?n=3", "/?n=0", "/?n=x", "/?n=2"].map((target): Ask => ({ target }));
    expect(await statuses([limited({ limit: 5, cost })], asks)).toEqual([200, 200, 429, 200, 200, 429]);
  });

  test("are told by a response header, which may be taken out", async () => {
    const chain = [limited({ limit: 10, cost: { header: "x-tokens", remove: true } })];
    const first = await runChain(chain, {}, { headers: [["x-tokens", "9.5"]] });
    expect([first.answer.status, first.answer.headers.has("x-tokens")]).toEqual([200, false]);
    expect(await statuses(chain, [{}])).toEqual([429]);
    const kept = await runChain([limited({ cost: { header: "x-tokens" } })], {}, { headers: [["x-tokens", "1"]] });
    expect(kept.answer.headers.get("x-tokens")).toBe("1");
  });

  test("told by a response below what was reserved are given back", async () => {
    const chain = [limited({ limit: 10, cost: { header: "x-tokens", reserve: 4 } })];
    for (let i = 0; i < 4; i++) {
      const { answer } = await runChain(chain, {}, { headers: [["x-tokens", "2"]] });
      expect(answer.status).toBe(200);
    }
    expect(await statuses(chain, [{}])).toEqual([429]);
  });

  test.each(["-5", "x", "1, 2", ""])("that a response tells as %j leave what was reserved", async (value) => {
    const chain = [limited({ limit: 2, cost: { header: "x-tokens" } })];
    const run = await last(chain, times(2, {}), { headers: [["x-tokens", value]] });
    expect(run.answer.status).toBe(200);
    expect(await statuses(chain, [{}])).toEqual([429]);
  });

  test("are bytes, once all are sent", async () => {
    const chain = [limited({ limit: 10, cost: { bytes: "both", unit: 1024 } })];
    const { exchange } = await runChain(chain);
    exchange.bytesReceived = 4096;
    exchange.bytesSent = 5 * 1024;
    exchange.ended();
    expect(await statuses(chain, times(2, {}))).toEqual([200, 429]);
  });

  test("are a function of the context with its response", async () => {
    const response = (c: { res: Response }) => (c.res.status === 200 ? 0 : 2);
    const chain = [limited({ limit: 2, cost: { response } })];
    expect(await statuses(chain, times(5, {}))).toEqual([200, 200, 200, 200, 200]);
    await runChain(chain, {}, { status: 404 });
    expect(await statuses(chain, [{}])).toEqual([429]);
  });
});

describe("several limits on a route", () => {
  test("are all told, and what the others took is given back when one refuses", async () => {
    const route = "several";
    const outer = limited({ name: "outer", limit: 3 }, { route });
    const inner = limited({ name: "inner", limit: 1, by: "header.x-a" }, { route });
    const one: Ask = { headers: [["x-a", "1"]] };
    const first = await runChain([outer, inner], one);
    expect(first.answer.headers.get("ratelimit")).toBe('"inner";r=0;t=3600, "outer";r=2;t=1200');
    expect(first.answer.headers.get("ratelimit-policy")).toBe('"inner";q=1;w=3600, "outer";q=3;w=3600');
    // Refused by the inner one: the outer one must not pay for it.
    expect(await statuses([outer, inner], times(5, one))).toEqual(times(5, 429));
    const others = ["2", "3", "4"].map((value): Ask => ({ headers: [["x-a", value]] }));
    expect(await statuses([outer, inner], others)).toEqual([200, 200, 429]);
  });

  test("tell the least that is left in the legacy fields", async () => {
    const route = "legacy";
    const outer = limited({ name: "o", limit: 3, headers: "legacy" }, { route });
    const inner = limited({ name: "i", limit: 9, headers: "legacy" }, { route });
    const { answer } = await runChain([outer, inner]);
    expect([answer.headers.get("x-ratelimit-limit"), answer.headers.get("x-ratelimit-remaining")]).toEqual(["3", "2"]);
    const { answer: other } = await runChain([inner, outer]);
    expect([other.headers.get("x-ratelimit-limit"), other.headers.get("x-ratelimit-remaining")]).toEqual(["3", "1"]);
  });

  test("that differ may not have one name", () => {
    const route = "twice";
    limited({}, { route });
    expect(() => limited({}, { route })).not.toThrow();
    expect(() => limited({ limit: 3 }, { route })).toThrow("another limit is named twice and differs from this");
    expect(() => limited({ by: "host" }, { route })).toThrow("give one of them another name");
  });
});

describe("tiers and exemptions", () => {
  test("a tier has numbers of its own, and whoever has none the base", async () => {
    const tiers = { by: "jwt.plan", gold: { limit: 4 }, free: { limit: 1, per: "1m" } };
    const limit = limited({ name: "plan", by: "header.x-a", tiers });
    const chain = (plan: unknown) => [with_("jwtPayload", { plan }), limit];
    const ask = (user: string): Ask => ({ headers: [["x-a", user]] });
    expect(await statuses(chain("gold"), times(5, ask("g")))).toEqual([200, 200, 200, 200, 429]);
    expect(await statuses(chain("free"), times(2, ask("f")))).toEqual([200, 429]);
    expect(await statuses(chain("unknown"), times(3, ask("u")))).toEqual([200, 200, 429]);
    expect(await statuses(chain("by"), times(3, ask("b")))).toEqual([200, 200, 429]);
    expect(await statuses([limit], times(3, ask("n")))).toEqual([200, 200, 429]);
    const { answer } = await runChain(chain("free"), ask("f"));
    expect(answer.headers.get("ratelimit-policy")).toBe('"plan";q=1;w=60');
    expect(counted).toContain("plan:gold refused leased");
  });

  test("addresses and keys on a list pass uncounted", async () => {
    const allow = ["10.0.0.0/8", "2001:db8::/32"];
    const chain = [limited({ name: "listed", by: "header.x-a", limit: 1, allow, allowKeys: ["partner"] })];
    expect(await statuses(chain, times(3, { address: "10.1.2.3" }))).toEqual([200, 200, 200]);
    expect(await statuses(chain, times(3, { address: "2001:db8::1" }))).toEqual([200, 200, 200]);
    expect(await statuses(chain, times(3, { headers: [["x-a", "partner"]] }))).toEqual([200, 200, 200]);
    expect(await statuses(chain, times(2, {}))).toEqual([200, 429]);
    expect(counted.filter((line) => line === "listed exempt leased")).toHaveLength(9);
  });

  test("keys on a list are what clients send: any address of a network, and text as UTF-8", async () => {
    const network = [limited({ name: "network", by: "ip", limit: 1, allowKeys: ["2001:db8::1"] })];
    expect(await statuses(network, times(2, { address: "2001:db8::2" }))).toEqual([200, 200]);
    const text = [limited({ name: "text", by: "header.x-a", limit: 1, allowKeys: ["é"] })];
    expect(await statuses(text, times(2, { headers: [["x-a", "\u00c3\u00a9"]] }))).toEqual([200, 200]);
  });
});

describe("in shadow", () => {
  test("a limit counts and reports, and lets everything pass without a word", async () => {
    const chain = [limited({ name: "shade", limit: 1 }, { isShadow: true })];
    const { answer, exchange, received } = await last(chain, times(3, {}));
    expect([answer.status, received.length, answer.headers.has("ratelimit")]).toEqual([200, 1, false]);
    expect(exchange.decisions).toEqual([{ policy: "rate_limit", outcome: "shadow_refused", about: "shade" }]);
    expect(counted.filter((line) => line.startsWith("shade"))).toEqual([
      "shade admitted leased",
      "shade shadow_refused leased",
      "shade shadow_refused leased",
    ]);
  });
});

describe("an admitted request of a hot key", () => {
  test("goes on within the call", async () => {
    const limit = limited({ limit: 1_000_000 });
    await Promise.all(times(200, {}).map((ask) => runChain([limit], ask)));
    let isForwarded = false;
    const probe: MiddlewareHandler = (_c, next) => {
      isForwarded = true;
      return next();
    };
    const prepare = (_exchange: Exchange) => {
      isForwarded = false;
    };
    const running = runChain([limit, probe], { prepare });
    expect(isForwarded).toBe(true);
    expect((await running).answer.status).toBe(200);
  });
});
