import { contentMark, latestChangeAt } from "./content-mark.ts";
import { createDebounce } from "./debounce.ts";
import { createFolderWatch } from "./folder-watch.ts";

export interface WatchOptions {
  /** Absolute paths of files and folders; of a folder, the files right in it count. What is missing may come later. */
  readonly paths: readonly string[];
  /** How long it must have been quiet before the contents are compared; under endless events, ten times that. */
  readonly debounceMs: number;
  /** Between looks that no event asked for. Five seconds by default. */
  readonly pollMs?: number;
  /**
   * When the paths began to be read, in epoch milliseconds: what changed between then and the start of the watch is a
   * change too. The start of the watch by default.
   */
  readonly readAt?: number;
  /** Called after a change of content, one call at a time; what it throws or rejects with is given to `onError`. */
  readonly onChange: () => void | Promise<void>;
  readonly onError?: (error: unknown) => void;
  /** Ends the watching. */
  readonly signal: AbortSignal;
}

/** A running watch. */
export interface ConfigWatch {
  /** Compares the contents now, without waiting for an event; settles when a change has been handled. */
  look(): Promise<void>;
  /**
   * Replaces the paths, after a reload that reads others. A path that is new counts as changed, to be sure; with the
   * moment when the reading began (epoch milliseconds) only when it changed since.
   */
  follow(paths: readonly string[], readAt?: number): void;
}

type Marks = ReadonlyMap<string, string>;

// Events get lost (a full queue, a network file system), so now and then we look ourselves.
const POLL_MS = 5000;

async function marksOf(paths: readonly string[]): Promise<Marks> {
  return new Map(await Promise.all(paths.map(async (path) => [path, await contentMark(path)] as const)));
}

function isChanged(before: Marks, now: Marks): boolean {
  for (const [path, mark] of now) if (before.get(path) !== mark) return true;
  return false;
}

/** The marks of those paths that have not changed since; contents first, or a change between the looks would be lost. */
async function marksSince(paths: readonly string[], since: number): Promise<Marks> {
  const marks = await marksOf(paths);
  const changes = await Promise.all([...marks.keys()].map(latestChangeAt));
  return new Map([...marks].filter((_, at) => (changes[at] ?? 0) < since));
}

/**
 * Watches configuration for changes of content: a touch, or a write of the same text, is none. Rapid edits end in one
 * call. Settles when the watching has begun.
 */
export async function watchConfig(options: WatchOptions): Promise<ConfigWatch> {
  const { signal, readAt } = options;
  let paths = options.paths;
  let marks: Marks = new Map();
  let looking: Promise<void> = Promise.resolve();
  const debounce = createDebounce(options.debounceMs, () => void look());
  const folders = createFolderWatch(() => debounce.soon());

  async function compare(): Promise<void> {
    // Armed first: what changes after the contents were read brings an event.
    await folders.update(paths);
    const now = await marksOf(paths);
    if (signal.aborted || !isChanged(marks, now)) return;
    marks = now;
    try {
      await options.onChange();
    } catch (error) {
      options.onError?.(error);
    }
  }

  /** Looks follow one another, so a change during a reload is handled after it. */
  function look(): Promise<void> {
    looking = looking.then(compare);
    return looking;
  }

  /** Takes what new paths hold for known, but for what changed since it was read. */
  async function adopt(next: readonly string[], since: number): Promise<void> {
    const added = next.filter((path) => !marks.has(path));
    marks = new Map([...marks, ...(await marksSince(added, since))]);
  }

  function stop(): void {
    clearInterval(poll);
    debounce.cancel();
    folders.close();
  }

  await folders.update(paths);
  marks = await (readAt === undefined ? marksOf(paths) : marksSince(paths, readAt));
  if (paths.some((path) => !marks.has(path))) debounce.soon();
  const poll = setInterval(() => void look(), options.pollMs ?? POLL_MS);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return {
    look,
    follow(next, since) {
      paths = next;
      if (signal.aborted) return;
      if (since !== undefined) looking = looking.then(() => adopt(next, since));
      debounce.soon();
    },
  };
}
