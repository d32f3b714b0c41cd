import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Loaded, type LoadOptions, loadConfig } from "../../src/config/source.ts";
import { ConfigError } from "../../src/errors.ts";
import { catalog } from "./catalog.ts";

export type Files = Readonly<Record<string, string>>;

const CERTIFICATES = join(import.meta.dir, "certificates");

/** The certificates of this folder's `make.sh`, as files in `certs/`. */
export const CERTS: Files = Object.fromEntries(
  readdirSync(CERTIFICATES)
    .filter((name) => /\.(pem|key)$/.test(name))
    .map((name) => [`certs/${name}`, readFileSync(join(CERTIFICATES, name), "utf8")]),
);

/** A moment at which those are valid that are meant to be. */
export const NOW_AT = Date.parse("2026-06-01T00:00:00Z");

/** Writes files, by path, into a folder. */
export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** Calls `use` with a folder of these files, which is removed afterwards. */
export async function inFolder<Result>(files: Files, use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "torii-config-"));
  try {
    await mkdir(join(folder, "routes"));
    await writeFiles(folder, files);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Loads the configuration that these files are. */
export function load(files: Files, options: Partial<LoadOptions> = {}): Promise<Loaded> {
  return inFolder(files, (cwd) =>
    loadConfig({ path: null, env: {}, openCatalog: async () => catalog, cwd, ...options }),
  );
}

/** The faults of these files, as they are shown. */
export async function faults(files: Files, options: Partial<LoadOptions> = {}): Promise<readonly string[]> {
  try {
    await load(files, options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
}
