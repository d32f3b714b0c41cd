import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A file that is to be replaced. */
export interface Replacement {
  readonly path: string;
  readonly text: string;
  /** Says whether a file that begins so needs not be written. */
  readonly isCurrent: (beginning: string) => boolean;
}

const BEGINNING_BYTES = 512;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const TEMPORARY = /\.[0-9a-f-]{36}\.tmp$/;
const TEMPORARY_MS = 3_600_000;

/** Of one writing: a process of the same id may have left its own. */
function temporary(path: string): string {
  return `${path}.${crypto.randomUUID()}.tmp`;
}

function beginningOf(path: string): string {
  try {
    // A pipe in its place must hold nobody up.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(BEGINNING_BYTES);
      return bytes.toString("utf8", 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

/**
 * Replaces a file in one step, with its folder where that is missing; only this user may read it. A file that is
 * current is left, and so is the old one when the signal has aborted. Says whether it wrote. Rejects with the system's
 * error; the old file stays then.
 */
export async function replaceFile({ path, text, isCurrent }: Replacement, signal: AbortSignal): Promise<boolean> {
  if (isCurrent(beginningOf(path))) return false;
  const beside = temporary(path);
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  try {
    const file = await open(beside, "wx", FILE_MODE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (signal.aborted) await rm(beside, { force: true });
    else await rename(beside, path);
    return !signal.aborted;
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw error;
  }
}

/** As `replaceFile`, at once. */
export function replaceFileSync({ path, text, isCurrent }: Replacement): boolean {
  if (isCurrent(beginningOf(path))) return false;
  const beside = temporary(path);
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
  try {
    const file = openSync(beside, "wx", FILE_MODE);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, path);
    return true;
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** Removes files of that name which nobody has written for so long, and what a crash left of writing them. */
export async function removeOld(folder: string, name: RegExp, olderThanMs: number): Promise<void> {
  for (const file of await readdir(folder)) {
    const isTemporary = TEMPORARY.test(file);
    if (!name.test(file.replace(TEMPORARY, ""))) continue;
    const { mtimeMs } = await stat(join(folder, file));
    if (Date.now() - mtimeMs > (isTemporary ? TEMPORARY_MS : olderThanMs))
      await rm(join(folder, file), { force: true });
  }
}
