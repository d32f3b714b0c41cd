import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FileRefusal, readRegularFile } from "./regular-file.ts";

// Left behind by editors and by atomic writes; their content is nobody's configuration.
const LEAVING = /^\.|~$|\.sw[a-z]$|\.tmp$|^#.*#$|^4913$/;

/** Says whether a file of this name is no configuration but what an editor or a half-done write left. */
export function isLeaving(name: string): boolean {
  return LEAVING.test(name);
}

async function fileMark(path: string): Promise<string> {
  try {
    return Bun.hash(await readRegularFile(path)).toString(36);
  } catch (error) {
    return error instanceof FileRefusal ? error.message : "absent";
  }
}

async function folderMark(path: string): Promise<string> {
  const names = (await readdir(path)).filter((name) => !isLeaving(name)).sort();
  const marks = await Promise.all(names.map(async (name) => `${name}=${await fileMark(join(path, name))}`));
  return marks.join("\n");
}

/**
 * A text that changes with the content of a file, or of the files right in a folder, and with nothing else; links are
 * followed. Never rejects: what cannot be read is `absent`, and of what is no file it tells only what it is.
 */
export async function contentMark(path: string): Promise<string> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    return isFolder ? `folder\n${await folderMark(path)}` : await fileMark(path);
  } catch {
    return "absent";
  }
}

async function changedAt(path: string): Promise<number> {
  try {
    return (await stat(path)).ctimeMs;
  } catch {
    return 0;
  }
}

/**
 * When a file, or a folder or one of the files right in it, was last written or replaced, in epoch milliseconds; 0 when
 * nothing is there. It may name a moment at which the content did not change.
 */
export async function latestChangeAt(path: string): Promise<number> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    const names = isFolder ? (await readdir(path)).filter((name) => !isLeaving(name)) : [];
    const each = await Promise.all([path, ...names.map((name) => join(path, name))].map(changedAt));
    return Math.max(...each);
  } catch {
    return 0;
  }
}
