import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtIns } from "../../plugins/index.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Plugin } from "../../src/plugin.ts";
import { depsFor, runChain } from "./support.ts";

const root = await mkdtemp(join(tmpdir(), "torii-plugins-"));
afterAll(() => rm(root, { recursive: true }));

const open = createCatalogs(builtIns);

async function folderOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(root, name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(folder, file, ".."), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  return folder;
}

/** A user's plugin that sets a header. */
function addHeader(name: string, value: string): string {
  return `import { definePlugin, z } from "torii";
export default definePlugin({
  name: ${JSON.stringify(name)},
  options: z.strictObject({ name: z.string() }),
  create: ({ name }) => async (c, next) => { await next(); c.header(name, ${value}); },
});
`;
}

async function headerOf(plugin: Plugin | undefined): Promise<string | null> {
  if (plugin === undefined) throw new Error("there is no such plugin");
  const { answer } = await runChain([plugin.provision({ name: "x-mine" }, depsFor("test"))]);
  return answer.headers.get("x-mine");
}

async function faultsOf(folder: string): Promise<readonly string[]> {
  const error: unknown = await open({ folder, names: [] }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof ConfigError ? error.issues.map(({ file, message }) => `${file} ${message}`) : [];
}

describe("the user's folder", () => {
  test("gives its plugins beside the built-in ones", async () => {
    const folder = await folderOf("beside", { "mine.ts": addHeader("mine", '"1"') });
    const catalog = await open({ folder, names: ["mine"] });
    expect(await headerOf(catalog.get("mine"))).toBe("1");
    expect(catalog.names()).toEqual([...builtIns.map(({ name }) => name), "mine"]);
  });

  test("is loaded anew when a file was edited, while the old catalog keeps what it had", async () => {
    const folder = await folderOf("edited", { "mine.ts": addHeader("mine", '"old"') });
    const before = await open({ folder, names: [] });
    await folderOf("edited", { "mine.ts": addHeader("mine", '"new"') });
    const after = await open({ folder, names: [] });
    expect([await headerOf(before.get("mine")), await headerOf(after.get("mine"))]).toEqual(["old", "new"]);
  });

  test("may hold JavaScript, and in folders below what its plugins share", async () => {
    const folder = await folderOf("shared", {
      "mine.js": addHeader("mine", "shared").replace("export", 'import { shared } from "./lib/shared.js";\nexport'),
      "lib/shared.js": 'export const shared = "from below";\n',
      "readme.md": "no plugin",
      "types.d.ts": "export {};\n",
    });
    expect(await headerOf((await open({ folder, names: [] })).get("mine"))).toBe("from below");
  });

  test("reports every file that is at fault, at once", async () => {
    const folder = await folderOf("faults", {
      "broken.ts": "export default {;\n",
      "empty.ts": "export const nothing = 1;\n",
      "throws.ts": 'throw new Error("not today");\n',
      "twice-a.ts": addHeader("twice", '"1"'),
      "twice-b.ts": addHeader("twice", '"2"'),
      "cors.ts": addHeader("cors", '"1"'),
    });
    const faults = await faultsOf(folder);
    expect(faults.find((fault) => fault.startsWith("faults/broken.ts"))).toContain("cannot be loaded: ");
    expect(faults).toContain(
      "faults/empty.ts exports no plugin; write export default definePlugin({ name, options, create })",
    );
    expect(faults).toContain("faults/throws.ts cannot be loaded: not today");
    expect(faults).toContain(
      "faults/twice-b.ts names its plugin twice, as faults/twice-a.ts does; give it another name",
    );
    expect(faults).toContain("faults/cors.ts names its plugin cors, as a built-in one is; give it another name");
    expect(new Set(faults.map((fault) => fault.split(" ")[0])).size).toBe(5);
  });

  test("that is not there is a fault", async () => {
    const folder = join(root, "absent");
    expect(await faultsOf(folder)).toEqual([
      `${folder} cannot be read; make this folder, or leave the key plugins out`,
    ]);
  });
});

describe("a module of the user's own", () => {
  test("is found where the configuration stands", async () => {
    const files = {
      "node_modules/@team/hello-world/index.js":
        "export const helloWorld = (o) => async (c, next) => { await next(); c.header('x-mine', o.name); };\n",
      "node_modules/@team/hello-world/package.json": '{ "name": "@team/hello-world", "main": "index.js" }',
      "node_modules/plain-default/index.js":
        "module.exports = (o) => async (c, n) => { await n(); c.header('x-mine', o.name); };\n",
      "node_modules/no-middleware/index.js": "export const make = () => 1;\n",
      "node_modules/throwing/index.js": "throw new Error('no way');\n",
      "plugins/.keep": "",
    };
    const folder = join(await folderOf("modules", files), "plugins");
    const catalog = await open({ folder, names: ["@team/hello-world", "plain-default", "no-middleware"] });
    expect(await headerOf(catalog.get("@team/hello-world"))).toBe("x-mine");
    expect(await headerOf(catalog.get("plain-default"))).toBe("x-mine");
    expect(() => catalog.get("no-middleware")?.provision({}, depsFor("r"))).toThrow("makes no Hono middleware");
  });
});
