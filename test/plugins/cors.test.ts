import { describe, expect, test } from "bun:test";
import cors from "../../plugins/cors.ts";
import { type Answer, depsFor, type Reply, runChain } from "./support.ts";

type Options = Readonly<Record<string, unknown>>;

const SHOP = "https://shop.example.com";

async function simple(options: Options, origin: string | null, reply: Reply = {}): Promise<Answer> {
  const headers = origin === null ? [] : ([["Origin", origin]] as const);
  const { answer } = await runChain([cors.provision(options, depsFor("test"))], { headers }, reply);
  return answer;
}

async function preflight(
  options: Options,
  origin: string,
  asked = "PUT",
): Promise<Answer & { readonly reached: number }> {
  const headers = [
    ["Origin", origin],
    ["Access-Control-Request-Method", asked],
    ["Access-Control-Request-Headers", "x-a, x-b"],
  ] as const;
  const chain = [cors.provision(options, depsFor("test"))];
  const { answer, received } = await runChain(chain, { method: "OPTIONS", headers });
  return { ...answer, reached: received.length };
}

function allowOf(answer: Answer): string | null {
  return answer.headers.get("access-control-allow-origin");
}

describe("origins", () => {
  const rows: readonly (readonly [listed: string, origin: string, isAllowed: boolean])[] = [
    [SHOP, SHOP, true],
    [SHOP, "https://SHOP.example.com", true],
    [SHOP, "http://shop.example.com", false],
    [SHOP, "https://shop.example.com:8443", false],
    [SHOP, "https://shop.example.com.evil.example", false],
    [SHOP, "https://shopxexample.com", false],
    ["https://*.example.com", "https://a.example.com", true],
    ["https://*.example.com", "https://a.b.example.com", true],
    ["https://*.example.com", "https://example.com", false],
    ["https://*.example.com", "https://evilexample.com", false],
    ["https://*.example.com", "https://a.example.com.evil", false],
    ["https://*.example.com", "https://evil/.example.com", false],
    ["https://*.example.com:8443", "https://a.example.com:8443", true],
    ["http://localhost:*", "http://localhost:5173", true],
    ["http://localhost:*", "http://localhost", true],
    ["*", "https://anything.example", true],
    [SHOP, "null", false],
    ["null", "null", true],
  ];
  for (const [listed, origin, isAllowed] of rows) {
    test(`${listed} ${isAllowed ? "lets" : "does not let"} ${origin} in`, async () => {
      const answer = await simple({ origins: [listed] }, origin);
      expect(allowOf(answer) !== null).toBe(isAllowed);
    });
  }
});

describe("a preflight", () => {
  test("is answered without the service", async () => {
    const options = { origins: [SHOP], methods: ["GET", "PUT"], headers: ["x-a"], maxAge: "10m", credentials: true };
    const answer = await preflight(options, SHOP);
    expect([answer.status, answer.reached, answer.text]).toEqual([204, 0, ""]);
    expect(answer.headers.toJSON()).toMatchObject({
      "access-control-allow-origin": SHOP,
      "access-control-allow-methods": "GET, PUT",
      "access-control-allow-headers": "x-a",
      "access-control-allow-credentials": "true",
      "access-control-max-age": "600",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    });
  });

  test("of another origin is answered without any permission", async () => {
    const answer = await preflight({ origins: [SHOP], credentials: true }, "https://evil.example");
    const names = [...answer.headers.keys()].filter((name) => name.startsWith("access-control"));
    expect([answer.status, answer.reached, names]).toEqual([204, 0, []]);
  });

  test("names with credentials what a wildcard stands for", async () => {
    const open = { origins: ["*"], methods: ["*"], headers: ["*"] };
    const without = await preflight(open, SHOP);
    const withThem = await preflight({ ...open, credentials: true }, SHOP);
    const names = ["origin", "methods", "headers"].map((name) => `access-control-allow-${name}`);
    expect(names.map((name) => without.headers.get(name))).toEqual(["*", "*", "*"]);
    expect(names.map((name) => withThem.headers.get(name))).toEqual([SHOP, "PUT", "x-a, x-b"]);
  });

  test("is only OPTIONS with an origin and a method: other OPTIONS reach the service", async () => {
    const chain = [cors.provision({ origins: [SHOP] }, depsFor("test"))];
    const { received } = await runChain(chain, { method: "OPTIONS", headers: [["Origin", SHOP]] });
    expect(received).toHaveLength(1);
  });
});

describe("a response", () => {
  const own = [
    ["Access-Control-Allow-Origin", "*"],
    ["Access-Control-Allow-Credentials", "true"],
    ["Vary", "Accept"],
  ] as const;

  test("is marked for an origin that may read it, whatever the service says", async () => {
    const answer = await simple({ origins: [SHOP], expose: ["X-Total"] }, SHOP, { headers: own });
    expect([allowOf(answer), answer.headers.get("access-control-expose-headers")]).toEqual([SHOP, "X-Total"]);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    expect(answer.headers.get("vary")).toBe("Accept, Origin");
  });

  test("loses the service's permission for an origin that may not", async () => {
    const answer = await simple({ origins: [SHOP] }, "https://evil.example", { headers: own });
    expect(allowOf(answer)).toBeNull();
    expect(answer.headers.get("vary")).toBe("Accept, Origin");
  });

  test("varies by origin even for a request without one, unless everybody may read it", async () => {
    expect((await simple({ origins: [SHOP] }, null)).headers.get("vary")).toBe("Origin");
    const open = await simple({ origins: ["*"] }, null);
    expect([open.headers.get("vary"), allowOf(open)]).toEqual([null, "*"]);
  });

  test("says Vary: Origin once", async () => {
    const answer = await simple({ origins: [SHOP] }, SHOP, { headers: [["Vary", "accept, ORIGIN"]] });
    expect(answer.headers.get("vary")).toBe("accept, ORIGIN");
  });
});

test("wrong options are refused", () => {
  const faults = (options: unknown) => cors.options.safeParse(options).error?.issues.length ?? 0;
  expect(faults({ origins: ["shop.example.com"] })).toBe(1);
  expect(faults({ origins: ["https://shop.example.com/"] })).toBe(1);
  expect(faults({ origins: [] })).toBe(1);
  expect(faults({ origins: ["*"], maxAge: "soon" })).toBe(1);
  expect(faults({ origins: ["*"], other: 1 })).toBe(1);
});
