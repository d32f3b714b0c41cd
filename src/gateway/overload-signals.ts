import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const CGROUPS = "/sys/fs/cgroup";

/** Text of a file of the kernel's, or null where it is not there. */
function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/**
 * Bytes of memory that this process's control groups (version 2) allow at most, the narrowest of them counting; null
 * where nothing bounds it, or the system has none.
 */
export function cgroupMemoryBytes(
  root: string = CGROUPS,
  own: string | null = read("/proc/self/cgroup"),
): number | null {
  const path = /^0::(\/.*)$/m.exec(own ?? "")?.[1];
  if (path === undefined) return null;
  let least: number | null = null;
  for (let at = path; ; at = dirname(at)) {
    const bytes = Number.parseInt(read(join(root, at, "memory.max")) ?? "", 10);
    if (Number.isFinite(bytes) && (least === null || bytes < least)) least = bytes;
    if (at === "/") return least;
  }
}

/** The most file descriptors that this process may have open; `Infinity` where it is not told or not bounded. */
export function maxDescriptors(limits: string | null = read("/proc/self/limits")): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

const OPEN = "/proc/self/fd";

/** File descriptors that are open now; 0 where the system does not tell. */
export function openDescriptors(): number {
  try {
    // Linux tells their number as the size since 6.2; before, they have to be counted.
    return statSync(OPEN).size || readdirSync(OPEN).length;
  } catch {
    return 0;
  }
}
