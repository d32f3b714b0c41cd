import { describe, expect, test } from "bun:test";
import { torii } from "./support.ts";

const use = (limit: number) => `{ use: rate-limit, with: { limit: ${limit}, per: 1m, by: ip } }`;

function files(first: string, second: string) {
  const route = (name: string, plugins: string) =>
    `  - name: ${name}\n    plugins:\n      - ${plugins}\n      - { use: respond, with: { status: 200 } }\n`;
  return { "torii.yaml": "", "routes/a.yaml": `routes:\n${route("a", first)}${route("b", second)}` };
}

describe("torii validate", () => {
  test("finds limits of one name that differ, at their places", async () => {
    const named = use(5).replace("limit: 5", "name: a, limit: 5");
    const { code, out } = await torii(["validate"], files(use(1), named));
    expect([code, out]).toEqual([
      1,
      "routes/a.yaml:8:9 routes[1].plugins[0]: plugin rate-limit refuses its options: another limit at routes/a.yaml:4 routes[0].plugins[0] is named a and differs from this: its limit is 1, not 5; give one of them another name",
    ]);
  });

  test("takes limits that routes share", async () => {
    expect(await torii(["validate"], files(use(1), use(1)))).toMatchObject({ code: 0 });
  });

  test("makes no plugins but the built-in ones", async () => {
    const own = `import { definePlugin, z } from "torii";
export default definePlugin({ name: "own", options: z.unknown(), create: () => { throw new Error("made"); } });`;
    const given = { ...files("{ use: own }", use(1)), "torii.yaml": "plugins: mine/", "mine/own.ts": own };
    expect(await torii(["validate"], given)).toMatchObject({ code: 0 });
  });
});

describe("torii routes", () => {
  test("tells what only reports", async () => {
    const shadowed = use(1).replace(/ }$/, ", shadow: true }");
    const { out } = await torii(["routes", "--files"], files(shadowed, use(1)));
    expect(out).toContain("rate-limit (shadow), respond");
  });
});
