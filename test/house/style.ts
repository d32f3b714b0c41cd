import { join, relative, resolve } from "node:path";
import { PROJECT, type SourceFile } from "./project-files.ts";

/** Something that must not stand in a file. */
export interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  /** Which files it holds for; all when absent. */
  readonly where?: RegExp;
}

// Written in two parts where this very file would otherwise break the rule.
const LEFTOVERS = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
const HOSTS = [
  "npmjs\\.(?:org|com)",
  "yarnpkg\\.com",
  "jsr\\.io",
  "pypi\\.org",
  "crates\\.io",
  "gcr\\.io",
  "ghcr\\.io",
];
const MORE_HOSTS = ["docker\\.(?:io|com)", "quay\\.io", "deb\\.debian\\.org"];

/** Words that no file of the project may hold. */
export const BANS: readonly Ban[] = [
  { name: "a leftover", pattern: LEFTOVERS },
  { name: "a machine's path", pattern: new RegExp(`(?<![\\w.])/${"wo" + "rk"}/`) },
  { name: "a package registry's host", pattern: new RegExp(`\\b(?:${[...HOSTS, ...MORE_HOSTS].join("|")})\\b`) },
  { name: "a test left out", pattern: /\b(?:test|it|describe)\.(?:skip|only|todo)\b/, where: /^test\/.*\.ts$/ },
  {
    name: "a silenced compiler",
    pattern: /@ts-(?:ignore|expect-error|nocheck)\b/,
    where: /^(?:src|packages|plugins|scripts)\//,
  },
  { name: "a default export", pattern: /^export default\b/, where: /^(?:src|packages)\/.*\.ts$/ },
  { name: "an enum", pattern: /^(?:export )?(?:const )?enum\b/, where: /\.ts$/ },
];

/** Lines that hold what a ban names, as `path:line: name`. */
export function bannedWords(files: readonly SourceFile[], bans: readonly Ban[] = BANS): string[] {
  return files.flatMap(({ path, text }) => {
    const held = bans.filter(({ where }) => where?.test(path) ?? true);
    return text.split("\n").flatMap((line, index) => {
      return held.filter(({ pattern }) => pattern.test(line)).map(({ name }) => `${path}:${index + 1}: ${name}`);
    });
  });
}

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|soak))?\.tsx?$/;

/** TypeScript files whose name is not kebab-case. */
export function misnamedFiles(files: readonly SourceFile[]): string[] {
  return files.map(({ path }) => path).filter((path) => !KEBAB.test(path.slice(path.lastIndexOf("/") + 1)));
}

/**
 * Files and functions that are too long, and every `any`, as the linter's own lines. It counts the lines of a
 * function's body: 58 of them are 60 with its first and last line.
 */
export async function longParts(folder: string, paths: readonly string[]): Promise<string[]> {
  const biome = join(PROJECT, "node_modules/.bin/biome");
  const rules = join(import.meta.dir, "lines.json");
  const command = [biome, "lint", `--config-path=${rules}`, "--reporter=github", "--max-diagnostics=none", ...paths];
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, { cwd: folder });
  const lines = stdout.toString().split("\n");
  const faults = lines.filter((line) => line.startsWith("::error"));
  if (exitCode !== 0 && faults.length === 0) throw new Error(stderr.toString());
  return faults.map((line) => shortened(line, folder));
}

/** `::error title=lint/GROUP/RULE,file=F,line=N,…::` without what a reader does not need. */
function shortened(line: string, folder: string): string {
  const [, rule, file = "", at] = /title=lint\/\w+\/(\w+),file=([^,]+),line=(\d+)/.exec(line) ?? [];
  return `${relative(folder, resolve(folder, file))}:${at}: ${rule}`;
}
