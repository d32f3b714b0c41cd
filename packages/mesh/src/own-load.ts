import { availableParallelism, totalmem } from "node:os";
import { type CgroupLimits, cgroupLimits } from "./cgroup.ts";
import type { MeshLoad } from "./load.ts";

/** What a process uses and what there is; all plain numbers, so that time can be moved. */
export interface LoadProbe {
  /** Milliseconds of a clock that only goes on. */
  readonly now: () => number;
  /** Milliseconds of processor time that the process has used since it began. */
  readonly cpuMs: () => number;
  readonly residentBytes: () => number;
  readonly limits: () => CgroupLimits;
  readonly cpus: number;
  readonly totalBytes: number;
}

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** This process on this machine. */
export function processProbe(): LoadProbe {
  return {
    now: () => performance.now(),
    cpuMs: processCpuMs,
    residentBytes: () => process.memoryUsage.rss(),
    limits: () => cgroupLimits(),
    cpus: availableParallelism(),
    totalBytes: totalmem(),
  };
}

/** Less than this says nothing of a share of time. */
const SHORTEST_MS = 200;

/**
 * Makes a reading of this process's own load: its share of the processor time that it may have since the last reading,
 * and of the memory that it may have. Limits are those of its control group, else of the machine.
 */
export function createOwnLoad(probe: LoadProbe = processProbe()): () => MeshLoad {
  let [at, cpuMs] = [probe.now(), probe.cpuMs()];
  let cpu: number | null = null;

  return () => {
    // Read each time: limits are changed while a container runs.
    const limits = probe.limits();
    const cpus = Math.min(probe.cpus, limits.cpus ?? probe.cpus);
    const elapsedMs = probe.now() - at;
    if (elapsedMs >= SHORTEST_MS) {
      const usedMs = probe.cpuMs();
      cpu = (usedMs - cpuMs) / (elapsedMs * cpus);
      [at, cpuMs] = [at + elapsedMs, usedMs];
    }
    const memory = probe.residentBytes() / Math.min(probe.totalBytes, limits.memoryBytes ?? probe.totalBytes);
    return { memory, ...(cpu === null ? {} : { cpu }) };
  };
}
