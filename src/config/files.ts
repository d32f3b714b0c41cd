import { isUtf8 } from "node:buffer";
import { readdir } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import type { ConfigIssue } from "../errors.ts";
import { type ParsedFile, parseFilePaced } from "./document.ts";
import type { Filled } from "./interpolate.ts";
import { loadModuleFile } from "./module-file.ts";
import type { Pace } from "./pace.ts";
import { readFault, readRegularFile } from "./regular-file.ts";

// Hidden files, Kubernetes' `..data` and editors' leavings are not configuration.
const ROUTE_FILE = /^[^.#].*\.(ya?ml|json|ts)$/;

/** The path as people see it: relative where it stands below the folder they are in. */
export function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}

/** Says whether a file of this name in the routes folder is read. */
function isRouteFile(name: string): boolean {
  return ROUTE_FILE.test(name) && !name.endsWith(".d.ts");
}

/** The error's code, such as `ENOENT`, or its message. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return String(error);
}

/** Absolute paths of a folder's route files, sorted by name. Rejects when the folder cannot be read. */
export async function routeFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names
    .filter(isRouteFile)
    .sort()
    .map((name) => join(folder, name));
}

/** A fault of a whole file. */
function fileIssue(file: string, message: string): ConfigIssue {
  return { file, line: null, column: null, field: "", message };
}

/** The text of a file, without its byte order mark; null when it is not UTF-8. */
function decoded(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? new TextDecoder().decode(bytes) : null;
}

export interface FileDeps {
  readonly cwd: string;
  readonly fill: (text: string) => Filled;
  readonly pace: Pace;
  /** How long the top level of a TypeScript file may take. */
  readonly importTimeoutMs: number;
}

/** Reads and parses one file, whatever its form. Never rejects: what cannot be read is an issue. */
export async function readConfigFile(path: string, deps: FileDeps): Promise<ParsedFile> {
  const file = shownPath(path, deps.cwd);
  try {
    const text = decoded(await readRegularFile(path));
    if (text === null) return { documents: [], issues: [fileIssue(file, "is not UTF-8; save it as UTF-8")] };
    return path.endsWith(".ts")
      ? await loadModuleFile({ file, path, text }, deps.importTimeoutMs)
      : await parseFilePaced({ file, text, fill: deps.fill }, deps.pace);
  } catch (error) {
    return { documents: [], issues: [fileIssue(file, readFault(error))] };
  }
}
