import { describe, expect, test } from "bun:test";
import { definePlugin, defineRoutes, type RoutesInput, z } from "torii";
import { loadConfig } from "../../src/config/source.ts";
import { faults, inFolder, load, writeFiles } from "./folder.ts";

describe("defineRoutes", () => {
  test("gives back what it was given, and takes a function for a plugin", () => {
    const routes: RoutesInput = {
      services: {
        catalog: { discover: "static", endpoints: [{ url: "http://127.0.0.1:9001" }], timeouts: { idle: "1m" } },
      },
      routes: [
        {
          name: "a",
          matches: [{ path: { prefix: "/a" }, headers: { "x-a": { present: true } } }],
          plugins: [
            { use: "cors", with: { origins: ["*"] } },
            { use: async (context, next) => void context.header("a", await next().then(() => "b")) },
          ],
          backends: [{ service: "catalog", weight: 1 }],
        },
      ],
    };
    expect(defineRoutes(routes)).toBe(routes);
  });

  test("is typed", () => {
    // @ts-expect-error: a duration is a text
    expect(defineRoutes({ routes: [{ name: "a", timeout: 5 }] })).toBeDefined();
    // @ts-expect-error: no such key
    expect(defineRoutes({ routes: [{ name: "a", backend: [] }] })).toBeDefined();
    // @ts-expect-error: not built yet
    expect(defineRoutes({ routes: [{ name: "a", sticky: { by: "cookie" } }] })).toBeDefined();
    // @ts-expect-error: no such policy
    expect(defineRoutes({ services: { a: { loadBalancing: { policy: "fastest" } } } })).toBeDefined();
  });
});

describe("a TypeScript route file", () => {
  test("imports torii wherever it stands, and gives routes and services", async () => {
    const { config } = await load({
      "routes/a.ts": `import { defineRoutes, definePlugin, z } from "torii";
const names = ["one", "two"] as const;
export default defineRoutes({
  services: { catalog: {} },
  routes: names.map((name) => ({ name, matches: [{ path: \`/\${name}\` }], backends: [{ service: "catalog" }] })),
});
export const used = [definePlugin, z];
`,
    });
    expect(config.routes.map(({ name, matches }) => [name, matches[0]?.path])).toEqual([
      ["one", "/one"],
      ["two", "/two"],
    ]);
  });

  test("gives middleware as functions, which answer without a backend", async () => {
    const { config } = await load({
      "routes/a.ts": `export default { routes: [{ name: "a", plugins: [
        { use: () => new Response("hello") },
        { use: async function hello(c, next) { await next(); } },
      ] }] };`,
    });
    const uses = config.routes[0]?.plugins ?? [];
    expect(uses.map(({ name }) => name)).toEqual(["middleware", "hello"]);
    expect(uses.every(({ middleware }) => typeof middleware === "function")).toBe(true);
  });

  test("is loaded anew when its text changed", async () => {
    const text = (name: string) => `export default { services: { ${name}: {} } };`;
    await inFolder({ "routes/a.ts": text("first") }, async (cwd) => {
      const names = async () =>
        (await loadConfig({ path: null, env: {}, cwd })).config.services.map(({ name }) => name);
      expect(await names()).toEqual(["first"]);
      await writeFiles(cwd, { "routes/a.ts": text("second") });
      expect(await names()).toEqual(["second"]);
      await writeFiles(cwd, { "routes/a.ts": "export default {" });
      await expect(names()).rejects.toThrow("routes/a.ts:1");
      await writeFiles(cwd, { "routes/a.ts": text("first") });
      expect(await names()).toEqual(["first"]);
    });
  });

  test("may hold itself without harm", async () => {
    const text =
      "const all: { [key: string]: unknown } = { services: {} };\nall.services = all;\nexport default all;\n";
    expect((await faults({ "routes/a.ts": text })).length).toBeGreaterThan(0);
  });
});

describe("the public surface", () => {
  test("makes plugins with its own z", () => {
    const plugin = definePlugin({
      name: "add-header",
      options: z.strictObject({ name: z.string() }),
      create: () => async (_context, next) => next(),
    });
    expect(plugin.options.safeParse({ name: "a" }).success).toBe(true);
  });
});
