import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface WatchOptions {
  /** Absolute paths of files and folders; of a folder, the files right in it count. What is missing may come later. */
  readonly paths: readonly string[];
  /** How long it must have been quiet before the contents are compared. */
  readonly debounceMs: number;
  /** Between looks that no event asked for. Five seconds by default. */
  readonly pollMs?: number;
  /** Called after a change of content, one call at a time; what it rejects with is given to `onError`. */
  readonly onChange: () => void | Promise<void>;
  readonly onError?: (error: unknown) => void;
  /** Ends the watching. */
  readonly signal: AbortSignal;
}

/** A running watch. */
export interface ConfigWatch {
  /** Compares the contents now, without waiting for an event; settles when a change has been handled. */
  look(): Promise<void>;
  /** Replaces the paths, after a reload that reads others. */
  follow(paths: readonly string[]): Promise<void>;
}

// Events get lost (a full queue, a network file system), so now and then we look ourselves.
const POLL_MS = 5000;
// Left behind by editors and by atomic writes; their content is nobody's configuration.
const LEAVING = /^\.|~$|\.sw[a-z]$|\.tmp$|^#.*#$|^4913$/;

async function fileMark(path: string): Promise<string> {
  try {
    return Bun.hash(await readFile(path)).toString(36);
  } catch {
    return "absent";
  }
}

async function folderMark(path: string): Promise<string> {
  const names = (await readdir(path)).filter((name) => !LEAVING.test(name)).sort();
  const marks = await Promise.all(names.map(async (name) => `${name}=${await fileMark(join(path, name))}`));
  return marks.join(",");
}

/** What stands at a path, as a text that changes with its content only; links are followed. */
async function markOf(path: string): Promise<string> {
  try {
    const isFolder = (await stat(path)).isDirectory();
    return isFolder ? `{${await folderMark(path)}}` : await fileMark(path);
  } catch {
    return "absent";
  }
}

async function markOfAll(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(markOf))).join("\n");
}

/**
 * The folders to watch: every path's parent, which sees a file or folder come, go and be replaced, and the path
 * itself, which works when it is a folder. A watch on a file would follow its inode and miss what replaces it.
 */
async function foldersOf(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const folders = new Map<string, number>();
  for (const path of new Set(paths.flatMap((each) => [dirname(each), each]))) {
    try {
      const found = await stat(path);
      if (found.isDirectory()) folders.set(path, found.ino);
    } catch {
      // It may come later: its parent's watch or the next look will tell.
    }
  }
  return folders;
}

interface Armed {
  readonly watcher: FSWatcher;
  /** Of the folder that is watched: another folder may have taken its name. */
  readonly inode: number;
}

/** Keeps one watcher on each folder that exists; `onEvent` is called for whatever happens there. */
function createArming(onEvent: () => void) {
  const armed = new Map<string, Armed>();

  function disarm(folder: string): void {
    armed.get(folder)?.watcher.close();
    armed.delete(folder);
  }

  function arm(folder: string, inode: number): void {
    if (armed.get(folder)?.inode === inode) return;
    disarm(folder);
    try {
      const watcher = watch(folder, onEvent);
      // A folder that vanished: the next look finds what stands there now.
      watcher.on("error", () => disarm(folder));
      armed.set(folder, { watcher, inode });
    } catch {
      // No watch left in the system, or the folder is gone again: looking now and then still works.
    }
  }

  return {
    async update(paths: readonly string[]): Promise<void> {
      const folders = await foldersOf(paths);
      for (const folder of [...armed.keys()]) if (!folders.has(folder)) disarm(folder);
      for (const [folder, inode] of folders) arm(folder, inode);
    },
    close(): void {
      for (const folder of [...armed.keys()]) disarm(folder);
    },
  };
}

/**
 * Watches configuration for changes of content: a touch, or a write of the same text, is none. Rapid edits end in one
 * call. Settles when the watching has begun; what changes after that is seen.
 */
export async function watchConfig(options: WatchOptions): Promise<ConfigWatch> {
  const { signal, debounceMs, pollMs = POLL_MS } = options;
  let paths = options.paths;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let looking: Promise<void> = Promise.resolve();
  const arming = createArming(() => plan(debounceMs));

  function plan(delayMs: number): void {
    if (signal.aborted) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => void look(), delayMs);
  }

  async function compare(): Promise<void> {
    await arming.update(paths);
    const now = await markOfAll(paths);
    if (signal.aborted || now === mark) return;
    mark = now;
    try {
      await options.onChange();
    } catch (error) {
      options.onError?.(error);
    }
  }

  /** Looks follow one another, so a change during a reload is handled after it. */
  function look(): Promise<void> {
    looking = looking.then(compare).finally(() => plan(pollMs));
    return looking;
  }

  function stop(): void {
    if (timer !== null) clearTimeout(timer);
    arming.close();
  }

  await arming.update(paths);
  let mark = await markOfAll(paths);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  plan(pollMs);
  return {
    look,
    async follow(next) {
      paths = next;
      mark = await markOfAll(paths);
      await arming.update(paths);
    },
  };
}
