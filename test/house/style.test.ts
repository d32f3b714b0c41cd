import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT, projectFiles, typescriptOf } from "./project-files.ts";
import { bannedWords, longParts, misnamedFiles } from "./style.ts";

const everything = await projectFiles();
const code = typescriptOf(everything);
const sample = await mkdtemp(join(tmpdir(), "torii-style-"));
afterAll(() => rm(sample, { recursive: true, force: true }));

/** Lines of a function with that many lines, first and last included. */
function functionOf(lines: number): string {
  const body = Array.from({ length: lines - 2 }, (_, index) => `  console.log(${index});`);
  return ["export function long(): void {", ...body, "}", ""].join("\n");
}

describe("the project", () => {
  test("holds no word that is banned", () => {
    expect(bannedWords(everything)).toEqual([]);
  });

  test("names its files in kebab-case", () => {
    expect(misnamedFiles(code)).toEqual([]);
  });

  test("has no file over 400 lines, no function over 60, and no any", async () => {
    const paths = code.map(({ path }) => path).filter((path) => !path.endsWith(".test.ts"));
    expect(await longParts(PROJECT, paths)).toEqual([]);
  });

  test("has no test file over 400 lines", () => {
    const long = code.filter(({ path, text }) => path.endsWith(".test.ts") && text.split("\n").length > 401);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  test("shows its two commands in the README, and the second is what CI runs", async () => {
    const readme = everything.find(({ path }) => path === "README.md")?.text ?? "";
    const version = (await Bun.file(join(PROJECT, "package.json")).json()).engines.bun;
    expect(readme).toContain(`npx --yes bun@${version} start\n`);
    expect(readme).toContain(`npx --yes bun@${version} run test\n`);
    expect(await Bun.file(join(PROJECT, ".ci/run")).text()).toContain(`npx --yes bun@${version} run test`);
  });

  test("pins every package to one version", async () => {
    const { dependencies, devDependencies } = await Bun.file(join(PROJECT, "package.json")).json();
    const mesh = await Bun.file(join(PROJECT, "packages/mesh/package.json")).json();
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)),
    );
    expect(loose).toEqual([]);
    expect(mesh.dependencies).toEqual({ ioredis: dependencies.ioredis });
  });
});

describe("the check of words", () => {
  const rows = [
    ["a leftover", "src/a.ts", `// ${"TO" + "DO"} later`],
    ["a machine's path", "README.md", `see /${"wo" + "rk"}/main`],
    ["a package registry's host", "docs/a.md", `https://registry.${"npm" + "js.org"}/hono`],
    ["a test left out", "test/a.test.ts", `test.${"skip"}("x", () => {});`],
    ["a test left out", "test/a.test.ts", `describe.${"only"}("x", () => {});`],
    ["a silenced compiler", "src/a.ts", `// @ts-${"ignore"}`],
    ["a default export", "src/a.ts", "export default 1;"],
    ["an enum", "src/a.ts", ["export", "enum Colour { red }"].join(" ")],
  ] as const;
  for (const [name, path, text] of rows) {
    test(`finds ${name} in ${path}: ${text.slice(0, 12)}`, () => {
      expect(bannedWords([{ path, text: `first line\n${text}` }])).toEqual([`${path}:2: ${name}`]);
    });
  }

  test("leaves ordinary text alone", () => {
    const text = "framework/parts, http://127.0.0.1/works, export const a = 1;\n";
    expect(bannedWords([{ path: "src/a.ts", text }])).toEqual([]);
  });
});

describe("the check of names", () => {
  test("refuses capitals and underscores", () => {
    const files = ["src/headerList.ts", "src/header_list.ts", "src/header-list.ts", "test/a-b.test.ts"];
    expect(misnamedFiles(files.map((path) => ({ path, text: "" })))).toEqual(files.slice(0, 2));
  });
});

describe("the check of lengths", () => {
  test("passes 60 lines of a function and 400 of a file", async () => {
    await Bun.write(join(sample, "good.ts"), functionOf(60));
    await Bun.write(join(sample, "full.ts"), "export {};\n".repeat(400));
    expect(await longParts(sample, ["good.ts", "full.ts"])).toEqual([]);
  });

  test("finds 61 lines of a function, 401 of a file, and an any", async () => {
    await Bun.write(join(sample, "long.ts"), functionOf(61));
    await Bun.write(join(sample, "longer.ts"), "export {};\n".repeat(401));
    await Bun.write(join(sample, "loose.ts"), "export const loose: any = 1;\n");
    expect((await longParts(sample, ["long.ts", "longer.ts", "loose.ts"])).sort()).toEqual([
      "long.ts:1: noExcessiveLinesPerFunction",
      "longer.ts:1: noExcessiveLinesPerFile",
      "loose.ts:1: noExplicitAny",
    ]);
  });
});
