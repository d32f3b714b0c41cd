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
  ] as const)("makes keys by %s", async (by, expected) => {
    expect(await read(`{ policy: consistent_hash, by: ${by} }`)).toEqual(["consistent_hash", expected, 0]);
  });
});
