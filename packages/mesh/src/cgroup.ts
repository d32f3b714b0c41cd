import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";

/** What bounds this process, where something does. */
export interface CgroupLimits {
  /** Processors' worth of time, not always whole. */
  readonly cpus: number | null;
  readonly memoryBytes: number | null;
}

/** The text of a file, or null when there is none. */
export type ReadText = (path: string) => string | null;

export function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** The folders of this process's group of the second version and of all above it, innermost first. */
function foldersOf(read: ReadText): readonly string[] {
  const path = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  return [...parts.keys(), parts.length].map((length) => join(ROOT, ...parts.slice(0, length))).reverse();
}

/** Null for `max`, nothing, and the huge number by which the first version says that there is no limit. */
function limitOf(text: string | null | undefined): number | null {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value > 0 && value < 2 ** 60 ? value : null;
}

function cpusOf(text: string | null): number | null {
  const [quota, period] = text?.trim().split(/\s+/) ?? [];
  const [limit, each] = [limitOf(quota), limitOf(period)];
  return limit === null || each === null ? null : limit / each;
}

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** The limits of control groups of either version that hold for this process; the strictest counts. */
export function cgroupLimits(read: ReadText = readText): CgroupLimits {
  const folders = foldersOf(read);
  const [quota, period] = ["quota", "period"].map((name) => read(`${ROOT}/cpu/cpu.cfs_${name}_us`)?.trim());
  return {
    cpus: least([...folders.map((folder) => cpusOf(read(`${folder}/cpu.max`))), cpusOf(`${quota} ${period}`)]),
    memoryBytes: least([
      ...folders.map((folder) => limitOf(read(`${folder}/memory.max`))),
      limitOf(read(`${ROOT}/memory/memory.limit_in_bytes`)),
    ]),
  };
}
