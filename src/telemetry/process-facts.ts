import { readdir, readFile, stat } from "node:fs/promises";
import { familyHead, type MetricType, sampleLine } from "./exposition.ts";

const FD_FOLDER = "/proc/self/fd";

// Since Linux 6.2 the folder's size is the number of descriptors; listing thousands of them costs milliseconds.
async function openFds(): Promise<number | null> {
  try {
    const { size } = await stat(FD_FOLDER);
    return size > 0 ? size : (await readdir(FD_FOLDER)).length;
  } catch {
    return null;
  }
}

async function maxFds(): Promise<number | null> {
  try {
    const limits = await readFile("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    if (soft === undefined) return null;
    return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return null;
  }
}

function single(type: MetricType, [name, help]: readonly [string, string], value: number | null): string {
  return value === null ? "" : familyHead(name, help, type) + sampleLine(name, "", value);
}

/** The `process_*` families of the Prometheus conventions; those that the system does not tell are left out. */
export async function renderProcessFacts(): Promise<string> {
  const cpu = process.cpuUsage();
  const startedAt = (performance.timeOrigin || Date.now() - process.uptime() * 1000) / 1000;
  const [open, max] = await Promise.all([openFds(), maxFds()]);
  return (
    single(
      "counter",
      ["process_cpu_seconds_total", "User and system CPU time in seconds."],
      (cpu.user + cpu.system) / 1e6,
    ) +
    single("gauge", ["process_resident_memory_bytes", "Resident memory in bytes."], process.memoryUsage.rss()) +
    single("gauge", ["process_start_time_seconds", "When the process began, in seconds since 1970."], startedAt) +
    single("gauge", ["process_open_fds", "Open file descriptors."], open) +
    single("gauge", ["process_max_fds", "The most file descriptors that may be open."], max)
  );
}
