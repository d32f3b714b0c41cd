import { describe, expect, test } from "bun:test";
import { get } from "../support/forward.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startGateway } from "../support.ts";

const HANGING = `import { definePlugin, z } from "torii";
export default definePlugin({
  name: "hanging",
  options: z.strictObject({}),
  create: () => async (c) => {
    c.env.signal.addEventListener("abort", () => console.error("aborted", c.env.signal.reason.code));
    await new Promise(() => {});
  },
});
`;

describe("a route's timeout", () => {
  test("bounds plugins too: one that never answers ends in a 504", async () => {
    await using upstream = startAnswering(() => ok());
    await using gateway = await startGateway({
      torii: { plugins: "own/" },
      files: { "own/hanging.ts": HANGING },
      routes: {
        services: { up: { endpoints: [{ url: upstream.url }] } },
        routes: [
          { name: "hangs", plugins: [{ use: "hanging", with: {} }], timeout: "200ms", backends: [{ service: "up" }] },
        ],
      },
    });
    const response = await gateway.exchange(get());
    expect(response.status).toBe(504);
    expect(JSON.parse(response.body.toString())).toMatchObject({
      type: "urn:torii:problem:upstream_timeout",
      route: "hangs",
    });
    expect(upstream.requests).toHaveLength(0);
  });
});
