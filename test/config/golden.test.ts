import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/source.ts";
import { ConfigError } from "../../src/errors.ts";
import { catalog } from "./catalog.ts";

const GOLDEN = join(import.meta.dir, "../golden");
const CERTIFICATES = join(import.meta.dir, "certificates");
const NOW_AT = Date.parse("2026-06-01T00:00:00Z");
const ENV = { PORT: "9090", WORD: "eighty", FRACTION: "1.5", EMPTY: "" };

/** A copy of the case, with certificates in `certs/`. Modules stand there as `.ts.txt`, as no other tool may take them for the project's code. */
async function copied(folder: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "torii-golden-"));
  await cp(folder, copy, { recursive: true });
  await cp(CERTIFICATES, join(copy, "certs"), { recursive: true });
  for (const file of await readdir(copy, { recursive: true })) {
    if (file.endsWith(".ts.txt")) await rename(join(copy, file), join(copy, file.slice(0, -".txt".length)));
  }
  return copy;
}

/** Every fault of a folder's configuration, one a line. */
async function faultsOf(folder: string): Promise<string> {
  const cwd = await copied(folder);
  try {
    await loadConfig({ path: null, cwd, env: ENV, openCatalog: async () => catalog, nowAt: NOW_AT });
    return "none\n";
  } catch (error) {
    if (error instanceof ConfigError) return `${error.message}\n`;
    throw error;
  } finally {
    await rm(cwd, { recursive: true });
  }
}

// `UPDATE_GOLDEN=1 bun test test/config/golden.test.ts` writes what is found; read the difference before keeping it.
const isUpdate = Bun.env["UPDATE_GOLDEN"] === "1";

describe("a bad configuration has exactly these faults:", () => {
  for (const name of readdirSync(GOLDEN).sort()) {
    test(name.replaceAll("-", " "), async () => {
      const folder = join(GOLDEN, name);
      const faults = await faultsOf(folder);
      const file = join(folder, "expected.txt");
      if (isUpdate) await writeFile(file, faults);
      expect(faults).toBe(await readFile(file, "utf8"));
      expect(faults).not.toBe("none\n");
    });
  }
});
