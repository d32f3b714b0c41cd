import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";

const LIMIT_MIB = 16;
const LIMIT_BYTES = LIMIT_MIB * 1024 * 1024;
// Without O_NONBLOCK the opening of a pipe that nobody writes to would wait for ever.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** What stands at a path is not to be read; the message says what it is and what would be right. */
export class FileRefusal extends Error {
  override readonly name = "FileRefusal";
}

function refusal(kind: string): FileRefusal {
  return new FileRefusal(`is ${kind}; put a regular file there, or a link to one`);
}

function check(stats: Stats): void {
  if (stats.isDirectory()) throw refusal("a folder");
  if (stats.isFIFO()) throw refusal("a named pipe");
  if (!stats.isFile()) throw refusal("a device");
  checkSize(stats.size);
}

function checkSize(bytes: number): void {
  if (bytes <= LIMIT_BYTES) return;
  throw new FileRefusal(`is larger than ${LIMIT_MIB} MiB; make it smaller, or split it into several files`);
}

/** A socket cannot be opened at all, so it never gets as far as `check`. */
function openFault(error: unknown): unknown {
  return error instanceof Error && "code" in error && error.code === "ENXIO" ? refusal("a socket") : error;
}

/**
 * The content of a regular file, or of what a link leads to, of at most 16 MiB. Never waits for a writer. Rejects with
 * a FileRefusal for what is anything else, and with the system's error for what cannot be opened.
 */
export async function readRegularFile(path: string): Promise<Buffer> {
  const file = await open(path, FLAGS).catch((error: unknown) => {
    throw openFault(error);
  });
  try {
    check(await file.stat());
    const bytes = await file.readFile();
    // It may have grown meanwhile, and some files of the system do not tell their size.
    checkSize(bytes.length);
    return bytes;
  } finally {
    await file.close();
  }
}

function openNow(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (error) {
    throw openFault(error);
  }
}

/** As `readRegularFile`, at once; throws what that rejects with. */
export function readRegularFileSync(path: string): Buffer {
  const fd = openNow(path);
  try {
    check(fstatSync(fd));
    const bytes = readFileSync(fd);
    checkSize(bytes.length);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** Why a file was not read, to be put behind its name. */
export function readFault(error: unknown): string {
  if (error instanceof FileRefusal) return error.message;
  const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return `cannot be read (${reason}); create it, or correct the path`;
}
