import { describe, expect, test } from "bun:test";
import { load } from "./folder.ts";

/** What a service's `loadBalancing`, written so, comes to. */
async function read(written: string) {
  const { config } = await load({ "routes/main.yaml": `services:\n  shop: { loadBalancing: ${written} }\n` });
  const options = config.services.find(({ name }) => name === "shop")?.options;
  return options === undefined ? null : [options.balancer, options.hashBy, options.slowStartMs];
}

describe("load balancing", () => {
  test.each([
    ["{}", ["least_request", null, 0]],
    ["{ policy: random }", ["random", null, 0]],
    ["{ policy: peak_ewma, slowStart: 1m30s }", ["peak_ewma", null, 90_000]],
    ["{ slowStart: 0s }", ["least_request", null, 0]],
  ] as const)("is read from %s", async (written, expected) => {
    expect(await read(written)).toEqual([...expected]);
  });

  test.each([
    ["ip", { source: "ip", name: "" }],
    ["host", { source: "host", name: "" }],
    ["header.X-User", { source: "header", name: "x-user" }],
    ["cookie.Session.id", { source: "cookie", name: "Session.id" }],
    ["query.User", { source: "query", name: "User" }],
    ["jwt.sub", { source: "jwt", name: "sub" }],
    ["jwt.realm.tenant", { source: "jwt", name: "realm.tenant" }],
    ["jwt.https://example.com/Tenant", { source: "jwt", name: "https://example.com/Tenant" }],
  ] as const)("makes keys by %s", async (by, expected) => {
    expect(await read(`{ policy: consistent_hash, by: ${by} }`)).toEqual(["consistent_hash", expected, 0]);
  });

  /** What the zone and the loads that are written in the gateway's file, and in the service's, come to. */
  async function zoned(torii: string, written: string) {
    const files = { "torii.yaml": torii, "routes/main.yaml": `services:\n  shop: { loadBalancing: ${written} }\n` };
    const { config } = await load(files);
    const options = config.services[0]?.options;
    return [options?.zone, options?.maxLoad];
  }

  test.each([
    ["zone: eu-1", "{ zone: prefer }", ["eu-1", null]],
    ["zone: eu-1", "{ zone: any }", [null, null]],
    ["zone: eu-1", "{}", [null, null]],
    ['zone: ""', "{ zone: prefer }", [null, null]],
    ['zone: "${TORII_ZONE:-}"', "{ zone: prefer }", [null, null]],
    ["workers: 1", "{ zone: prefer }", [null, null]],
    ["workers: 1", "{ maxLoad: { cpu: 90% } }", [null, { cpu: 0.9, memory: null }]],
    ["workers: 1", "{ maxLoad: { cpu: 85%, memory: 100% } }", [null, { cpu: 0.85, memory: 1 }]],
  ] as const)("with %s, of %s", async (torii, written, expected) => {
    expect(await zoned(`${torii}\n`, written)).toEqual([...expected]);
  });

  test("reads what is written of static endpoints, and a backend's subset", async () => {
    const { config } = await load({
      "routes/main.yaml": `services:
  shop: { endpoints: [{ url: "http://127.0.0.1:1", zone: eu-1, version: "2", tags: [canary] }, { url: "http://127.0.0.1:2" }] }
routes:
  - name: a
    backends:
      - { service: shop, subset: { version: "2" } }
      - { service: shop, subset: { tags: [canary, big] } }
      - { service: shop }
`,
    });
    expect(config.services[0]?.options.endpoints).toEqual([
      { id: "127.0.0.1:1", url: "http://127.0.0.1:1", weight: 1, zone: "eu-1", version: "2", tags: ["canary"] },
      { id: "127.0.0.1:2", url: "http://127.0.0.1:2", weight: 1 },
    ]);
    expect(config.routes[0]?.backends.map(({ subset }) => subset)).toEqual([
      { version: "2", tags: [] },
      { version: null, tags: ["canary", "big"] },
      null,
    ]);
  });
});
