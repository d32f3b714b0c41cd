import { describe, expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import { builtIns } from "../../plugins/index.ts";
import type { Exchange } from "../../src/wire/exchange.ts";
import { type Ask, depsFor, type Reply, type Run, runChain } from "./support.ts";

type Options = Readonly<Record<string, unknown>>;

function provision(name: string, options: Options): MiddlewareHandler {
  const plugin = builtIns.find((one) => one.name === name);
  if (plugin === undefined) throw new Error(`no built-in plugin is called ${name}`);
  return plugin.provision(options, depsFor("test"));
}

function run(name: string, options: Options, ask: Ask & { prefix?: string } = {}, reply: Reply = {}): Promise<Run> {
  const prepare = (exchange: Exchange) => {
    exchange.prefix = ask.prefix ?? null;
  };
  return runChain([provision(name, options)], { ...ask, prepare }, reply);
}

function faults(name: string, options: Options): readonly string[] {
  const result = builtIns.find((one) => one.name === name)?.options.safeParse(options);
  return result?.error?.issues.map((issue) => issue.message) ?? [];
}

describe("redirect", () => {
  interface Row {
    readonly says: string;
    readonly options: Options;
    readonly ask?: Ask & { prefix?: string };
    readonly location: string;
  }
  const at = { target: "/foo/bar?q=1", authority: "old.example" };
  const rows: readonly Row[] = [
    {
      says: "another host keeps path and query",
      options: { hostname: "new.example" },
      location: "http://new.example/foo/bar?q=1",
    },
    {
      says: "another scheme means its own port",
      options: { scheme: "https" },
      ask: { ...at, authority: "old.example:8080" },
      location: "https://old.example/foo/bar?q=1",
    },
    {
      says: "a well-known port is not written",
      options: { scheme: "https", port: 443 },
      location: "https://old.example/foo/bar?q=1",
    },
    {
      says: "another port is written",
      options: { scheme: "https", port: 8443 },
      location: "https://old.example:8443/foo/bar?q=1",
    },
    {
      says: "port 80 with https is written",
      options: { scheme: "https", port: 80 },
      location: "https://old.example:80/foo/bar?q=1",
    },
    {
      says: "without a scheme the client's port stays",
      options: { hostname: "new.example" },
      ask: { ...at, authority: "old.example:8080" },
      location: "http://new.example:8080/foo/bar?q=1",
    },
    {
      says: "the scheme is the one by which the client came",
      options: { hostname: "new.example" },
      ask: { ...at, scheme: "https" },
      location: "https://new.example/foo/bar?q=1",
    },
    {
      says: "a full path keeps the query",
      options: { path: { full: "/new" } },
      location: "http://old.example/new?q=1",
    },
    {
      says: "a full path with a query replaces it",
      options: { path: { full: "/new?x=2" } },
      location: "http://old.example/new?x=2",
    },
    {
      says: "a prefix is replaced",
      options: { path: { prefix: "/new" } },
      ask: { ...at, prefix: "/foo" },
      location: "http://old.example/new/bar?q=1",
    },
    {
      says: "an IPv6 host keeps its brackets",
      options: { port: 81 },
      ask: { ...at, authority: "[::1]:8080" },
      location: "http://[::1]:81/foo/bar?q=1",
    },
  ];
  for (const { says, options, ask = at, location } of rows) {
    test(says, async () => {
      const { answer, received } = await run("redirect", options, ask);
      expect([answer.status, answer.headers.get("location"), received.length]).toEqual([302, location, 0]);
    });
  }

  test("takes every status of a redirect and refuses others", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      expect((await run("redirect", { status })).answer.status).toBe(status);
    }
    expect(faults("redirect", { status: 300 })).toEqual([
      "is no status of a redirect; write 301, 302, 303, 307 or 308",
    ]);
    expect(faults("redirect", { hostname: "http://x" })).toHaveLength(1);
    expect(faults("redirect", { path: { full: "no-slash" } })).not.toHaveLength(0);
  });
});

describe("rewrite", () => {
  // The table of the Gateway API's ReplacePrefixMatch.
  const prefixes: readonly (readonly [path: string, prefix: string, replacement: string, result: string])[] = [
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo/bar", "/foo", "", "/bar"],
    ["/foo/", "/foo", "", "/"],
    ["/foo", "/foo", "", "/"],
    ["/foo/", "/foo", "/", "/"],
    ["/foo", "/foo", "/", "/"],
    ["/foo//bar", "/foo", "/", "/bar"],
    ["/any", "", "/xyz", "/xyz/any"],
    ["/f%6Fo/b%20r", "/f%6Fo", "/xyz", "/xyz/b%20r"],
  ];
  for (const [path, prefix, replacement, result] of prefixes) {
    test(`prefix ${prefix || "/"} of ${path} becomes ${JSON.stringify(replacement)}: ${result}`, async () => {
      const { received } = await run("rewrite", { path: { prefix: replacement } }, { target: `${path}?q`, prefix });
      expect(received[0]?.target).toBe(`${result}?q`);
    });
  }

  test("changes the host that goes upstream, and nothing else", async () => {
    const { received } = await run("rewrite", { hostname: "inner.example" }, { target: "/a?b" });
    expect(received[0]).toMatchObject({ authority: "inner.example", target: "/a?b" });
  });

  test("puts a full path before the client's query", async () => {
    const { received } = await run("rewrite", { path: { full: "/new" } }, { target: "/a/b?c" });
    expect(received[0]?.target).toBe("/new?c");
  });

  test("replaces by regular expression, with groups in both spellings", async () => {
    for (const replace of ["/api/$2/$1", "/api/\\2/\\1"]) {
      const options = { path: { regex: "^/(v[12])/(\\w+)", replace } };
      const { received } = await run("rewrite", options, { target: "/v1/items/7?x" });
      expect(received[0]?.target).toBe("/api/items/v1/7?x");
    }
  });

  test("keeps a path that no expression matches, and its leading slash", async () => {
    const none = await run("rewrite", { path: { regex: "^/x", replace: "/y" } }, { target: "/a" });
    const bare = await run("rewrite", { path: { regex: "^/a", replace: "" } }, { target: "/a" });
    expect([none.received[0]?.target, bare.received[0]?.target]).toEqual(["/a", "/"]);
  });

  test("answers at once where backtracking would never end", async () => {
    const target = `/${"a".repeat(5_000)}!`;
    const { received } = await run("rewrite", { path: { regex: "^/(a+)+$", replace: "/" } }, { target });
    expect(received[0]?.target).toBe(target);
  }, 5_000);

  test("refuses what rewrites nothing and broken expressions", () => {
    expect(faults("rewrite", {})).toEqual(["rewrites nothing; give hostname or path"]);
    expect(faults("rewrite", { path: { regex: "(", replace: "" } })).not.toHaveLength(0);
    expect(faults("rewrite", { path: { regex: "^/(?!a)", replace: "" } })).not.toHaveLength(0);
  });
});

describe("request-headers", () => {
  test("removes, sets and adds, and leaves the rest in its order and case", async () => {
    const options = { set: { "X-Set": "1" }, add: { "X-Add": ["a", "b"] }, remove: ["x-gone"] };
    const headers = [
      ["X-Keep", "1"],
      ["X-Gone", "1"],
      ["x-set", "old"],
      ["x-set", "older"],
      ["x-add", "first"],
    ] as const;
    const { received } = await run("request-headers", options, { headers });
    expect(received[0]?.lines).toEqual([
      "Host: shop.example.com",
      "X-Keep: 1",
      "X-Set: 1",
      "x-add: first",
      "X-Add: a",
      "X-Add: b",
    ]);
  });

  test("a name that is removed and set ends as set", async () => {
    const { received } = await run(
      "request-headers",
      { set: { a: "new" }, remove: ["A"] },
      { headers: [["a", "old"]] },
    );
    expect(received[0]?.headers.get("a")).toBe("new");
  });

  test("of Host changes the host that goes upstream", async () => {
    const { received } = await run("request-headers", { set: { Host: "inner.example" } });
    expect(received[0]?.authority).toBe("inner.example");
  });

  test("refuses names and values that cannot stand in a message, and framing", () => {
    expect(faults("request-headers", { set: { "bad name": "1" } })).toHaveLength(1);
    expect(faults("request-headers", { set: { good: "line\nbreak" } })).toHaveLength(1);
    expect(faults("request-headers", { remove: ["Content-Length"] })).toEqual([
      "is written by the gateway itself; leave this header out",
    ]);
  });
});

describe("response-headers", () => {
  const options = { set: { "X-Set": "1" }, add: { "Set-Cookie": ["c=3", "d=4"] }, remove: ["Server"] };
  const headers = [
    ["Server", "x"],
    ["x-set", "old"],
    ["set-cookie", "a=1"],
    ["X-Keep", "1"],
  ] as const;

  test("changes the service's response", async () => {
    const { answer } = await run("response-headers", options, {}, { headers });
    expect(answer.lines).toEqual(["X-Set: 1", "set-cookie: a=1", "X-Keep: 1", "Set-Cookie: c=3", "Set-Cookie: d=4"]);
  });

  test("changes a plugin's response and an error's", async () => {
    const plugin = provision("response-headers", options);
    const answers: MiddlewareHandler[] = [
      (c) => Promise.resolve(c.text("mine")),
      () => {
        throw new Error("broken");
      },
    ];
    for (const inner of answers) {
      const { answer } = await runChain([plugin, inner]);
      expect([answer.headers.get("x-set"), answer.headers.getSetCookie()]).toEqual(["1", ["c=3", "d=4"]]);
    }
  });
});

describe("respond", () => {
  test("answers with a text", async () => {
    const { answer, received } = await run("respond", {
      status: 503,
      body: "closed",
      headers: { "retry-after": "60" },
    });
    expect([answer.status, answer.text, answer.headers.get("retry-after"), received.length]).toEqual([
      503,
      "closed",
      "60",
      0,
    ]);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
  });

  test("answers with JSON", async () => {
    const { answer } = await run("respond", { status: 200, json: { a: [1, null] } });
    expect([answer.text, answer.headers.get("content-type")]).toEqual(['{"a":[1,null]}', "application/json"]);
  });

  test("answers without a body, and with a type of its own", async () => {
    expect((await run("respond", { status: 204 })).answer).toMatchObject({ status: 204, body: null });
    const { answer } = await run("respond", { status: 200, body: "<p>", headers: { "Content-Type": "text/html" } });
    expect(answer.headers.get("content-type")).toBe("text/html");
  });

  test("refuses two bodies and a status that is not final", () => {
    expect(faults("respond", { status: 200, body: "a", json: 1 })).toEqual(["has two bodies; write body or json"]);
    expect(faults("respond", { status: 101 })).toEqual(["is no final status; write 200 to 599"]);
  });
});
