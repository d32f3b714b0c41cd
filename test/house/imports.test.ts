import { describe, expect, test } from "bun:test";
import { findCycle, importsOf, tableFaults } from "./imports.ts";
import { projectFiles, typescriptOf } from "./project-files.ts";
import { ROOMS } from "./rooms.ts";

const house = typescriptOf(await projectFiles("src", "plugins", "packages"));

describe("the house", () => {
  test("has files to look at", () => {
    expect(house.map(({ path }) => path)).toContain("src/errors.ts");
  });

  test("keeps to the import table", () => {
    expect(tableFaults(house, ROOMS)).toEqual([]);
  });

  test("has no cycle of imports, types included", () => {
    expect(findCycle(house)).toBeNull();
  });

  test("imports with the file's ending", () => {
    const faults = house.flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier }) => specifier.startsWith(".") && !/\.(?:ts|tsx|json|html)$/.test(specifier))
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(faults).toEqual([]);
  });
});

describe("the reader of imports", () => {
  test("sees every form and tells types from values", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type { B } from "./b.ts";',
      "import {",
      "  type C,",
      "  type D,",
      '} from "./c.ts";',
      'import { type E, f } from "./e.ts";',
      'export * from "./g.ts";',
      'export type { H } from "./h.ts";',
      'import "./i.ts";',
      'const j = await import("./j.ts");',
      'let k: typeof import("./k.ts");',
      '// import { no } from "./no.ts";',
      ' * import { no } from "./no.ts";',
      'export const from = "./no.ts";',
    ].join("\n");
    const seen = importsOf(text).map(({ specifier, isType }) => `${specifier} ${isType ? "type" : "value"}`);
    expect(seen.sort()).toEqual([
      "./a.ts value",
      "./b.ts type",
      "./c.ts type",
      "./e.ts value",
      "./g.ts value",
      "./h.ts type",
      "./i.ts value",
      "./j.ts value",
      "./k.ts type",
    ]);
  });
});

describe("the check of the table", () => {
  const check = (path: string, text: string): string[] => tableFaults([{ path, text }], ROOMS);

  test("refuses a value from a room that lends only its types", () => {
    expect(check("src/route/x.ts", 'import { Exchange } from "../wire/exchange.ts";')).toEqual([
      "src/route/x.ts: route may not import src/wire/exchange.ts",
    ]);
    expect(check("src/route/x.ts", 'import type { Exchange } from "../wire/exchange.ts";')).toEqual([]);
  });

  test("refuses a type from a room that is none of its business", () => {
    expect(check("src/wire/x.ts", 'import type { Plugin } from "../plugin.ts";')).toEqual([
      "src/wire/x.ts: wire may not import types of src/plugin.ts",
    ]);
  });

  test("lets route use the wire's light Fetch objects and nothing beside them", () => {
    expect(check("src/route/x.ts", 'import { R } from "../wire/fetch-request.ts";')).toEqual([]);
    expect(check("src/route/x.ts", 'import { R } from "../wire/pool.ts";')).toHaveLength(1);
  });

  test("keeps plugins to the public surface", () => {
    expect(check("plugins/x.ts", 'import { definePlugin } from "../src/plugin.ts";')).toEqual([]);
    expect(check("plugins/x.ts", 'import { chain } from "../src/route/chain.ts";')).toHaveLength(1);
  });

  test("keeps the client for services free of what is the gateway's", () => {
    const path = "packages/mesh/src/x.ts";
    expect(check(path, 'import { serviceKeys } from "./keys.ts";')).toEqual([]);
    expect(check(path, 'import type { Store } from "../../../src/store/store.ts";')).toHaveLength(1);
    expect(check("src/wire/x.ts", 'import { serviceKeys } from "../../packages/mesh/src/keys.ts";')).toHaveLength(1);
    expect(check("src/registry/x.ts", 'import { serviceKeys } from "../../packages/mesh/src/keys.ts";')).toEqual([]);
  });

  test("refuses a room that the table does not name", () => {
    expect(check("src/cellar/x.ts", "")).toEqual(["src/cellar/x.ts: no room cellar in the table"]);
  });

  test("refuses an import that leaves src", () => {
    expect(check("src/config/x.ts", 'import { y } from "../../test/support.ts";')).toHaveLength(1);
  });
});

describe("the search for cycles", () => {
  test("finds one that closes over types", () => {
    const files = [
      { path: "src/a.ts", text: 'import { b } from "./b.ts";' },
      { path: "src/b.ts", text: 'import type { C } from "./c.ts";' },
      { path: "src/c.ts", text: 'export { a } from "./a.ts";' },
    ];
    expect(findCycle(files)).toEqual(["src/a.ts", "src/b.ts", "src/c.ts", "src/a.ts"]);
  });

  test("takes two ways to one file for no cycle", () => {
    const files = [
      { path: "src/a.ts", text: 'import { b } from "./b.ts";\nimport { c } from "./c.ts";' },
      { path: "src/b.ts", text: 'import { c } from "./c.ts";' },
      { path: "src/c.ts", text: "" },
    ];
    expect(findCycle(files)).toBeNull();
  });
});
