import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { isLeaving } from "./content-mark.ts";

interface Armed {
  readonly watcher: FSWatcher;
  /** Of the folder that is watched: another folder may have taken its name. */
  readonly inode: number;
}

/** Watchers on the folders that matter for some paths. */
export interface FolderWatch {
  /** Arms what is missing or was replaced, disarms what no longer matters. Never rejects. */
  update(paths: readonly string[]): Promise<void>;
  close(): void;
}

/**
 * The folders to watch: every path's parent, which sees a file or folder come, go and be replaced, and the path
 * itself when it is a folder. A watch on a file would follow its inode and miss what replaces it.
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

/** Says whether something by this name in this folder can change what stands at the paths. */
function matters(paths: readonly string[], folder: string, name: string | null): boolean {
  // `..data` and its like are the links that Kubernetes swaps; without a name it could be anything.
  if (name === null || name.startsWith("..")) return true;
  if (paths.includes(folder)) return !isLeaving(name);
  return paths.some((path) => dirname(path) === folder && basename(path) === name);
}

/** Makes watchers that call `onEvent` for whatever may matter. Must be closed. */
export function createFolderWatch(onEvent: () => void): FolderWatch {
  const armed = new Map<string, Armed>();
  let current: readonly string[] = [];
  let isClosed = false;

  function disarm(folder: string): void {
    armed.get(folder)?.watcher.close();
    armed.delete(folder);
  }

  function arm(folder: string, inode: number): void {
    if (armed.get(folder)?.inode === inode) return;
    disarm(folder);
    try {
      const watcher = watch(folder, (_event, name) => {
        if (matters(current, folder, name)) onEvent();
      });
      // A folder that vanished: the next look finds what stands there now.
      watcher.on("error", () => disarm(folder));
      armed.set(folder, { watcher, inode });
    } catch {
      // No watch left in the system, or the folder is gone again: looking now and then still works.
    }
  }

  return {
    async update(paths) {
      current = paths;
      const folders = await foldersOf(paths);
      if (isClosed) return;
      for (const folder of [...armed.keys()]) if (!folders.has(folder)) disarm(folder);
      for (const [folder, inode] of folders) arm(folder, inode);
    },
    close() {
      isClosed = true;
      for (const folder of [...armed.keys()]) disarm(folder);
    },
  };
}
