import { describe, expect, test } from "bun:test";
import { CompiledPassthrough, passthroughIndex } from "../../src/config/passthrough.ts";
import { SnapshotUse } from "../../src/config/snapshot-use.ts";
import type { ListenerConfig, ListenerProtocol, RouteConfig } from "../../src/config/types.ts";

const source = { file: "torii.yaml", line: 1, column: 1, field: "" };

function listener(name: string, protocol: ListenerProtocol): ListenerConfig {
  return {
    name,
    protocol,
    tls: null,
    hasHttp2: false,
    hasHttp3: false,
    expectsProxyProtocol: false,
    httpsRedirectPort: null,
    hsts: null,
    address: "127.0.0.1",
    port: 0,
    hostnames: [],
    source,
  };
}

function route(name: string, hostnames: readonly string[], listeners: readonly string[] | null): RouteConfig {
  return {
    name,
    hostnames,
    listeners,
    isTimeoutTold: false,
    isPassthrough: true,
    priority: "normal",
    matches: [],
    paths: {},
    plugins: [],
    timeoutMs: 0,
    backendTimeoutMs: null,
    retry: null,
    backends: [],
    source,
  };
}

const LISTENERS = [
  listener("sni", "tls_passthrough"),
  listener("other", "tls_passthrough"),
  listener("plain", "tcp"),
  listener("web", "http"),
];

/** Finds among routes by the name of the one that is found. */
function finder(routes: readonly RouteConfig[]): (listener: string, sni: string | null) => string | null {
  const split = { pick: () => null };
  const use = new SnapshotUse(() => {});
  const targets = routes.map(
    (one) => [one, new CompiledPassthrough({ name: one.name, services: [], split, use })] as const,
  );
  const find = passthroughIndex(LISTENERS, targets);
  return (listener, sni) => find(listener, sni)?.name ?? null;
}

describe("the route of a passage", () => {
  const find = finder([
    route("rest", [], ["sni"]),
    route("deep", ["*.eu.shop.test"], ["sni"]),
    route("wide", ["*.shop.test"], ["sni"]),
    route("exact", ["a.shop.test", "b.test"], ["sni"]),
    route("late", ["a.shop.test", "*.shop.test"], ["sni"]),
  ]);

  test.each([
    ["its exact name", "a.shop.test", "exact"],
    ["another of its names", "b.test", "exact"],
    ["a wildcard, of one label", "c.shop.test", "wide"],
    ["a wildcard, of more labels", "x.y.shop.test", "wide"],
    ["the longer of two wildcards", "a.eu.shop.test", "deep"],
    ["what a wildcard stands behind, which it does not take", "shop.test", "rest"],
    ["the wide wildcard where the deep one would be empty", "eu.shop.test", "wide"],
    ["a name of nobody's", "example.test", "rest"],
    ["a part of a label", "ashop.test", "rest"],
    ["no name", null, "rest"],
  ])("is found by %s", (_what, sni, expected) => {
    expect(find("sni", sni)).toBe(expected);
  });

  test("is none where no route takes the name", () => {
    const named = finder([route("exact", ["a.test"], ["sni"])]);
    expect(named("sni", "a.test")).toBe("exact");
    expect(named("sni", "b.test")).toBeNull();
    expect(named("sni", null)).toBeNull();
  });

  test("is its listener's", () => {
    const bound = finder([route("one", ["a.test"], ["sni"]), route("two", ["a.test"], ["other", "plain"])]);
    expect(bound("sni", "a.test")).toBe("one");
    expect(bound("other", "a.test")).toBe("two");
    expect(bound("nobody", "a.test")).toBeNull();
  });

  test("without listeners belongs to all that pass bytes, and to no other", () => {
    const free = finder([route("all", [], null)]);
    expect(["sni", "other", "plain", "web"].map((name) => free(name, null))).toEqual(["all", "all", "all", null]);
  });

  test("of a plain listener is the first, whatever its hostnames", () => {
    const plain = finder([route("first", ["a.test"], ["plain"]), route("second", [], ["plain"])]);
    expect(plain("plain", null)).toBe("first");
  });

  test('takes every name by "*"', () => {
    expect(finder([route("star", ["*"], ["sni"])])("sni", "a.test")).toBe("star");
    expect(finder([route("star", ["*"], ["sni"])])("sni", null)).toBe("star");
  });
});
