import { describe, expect, test } from "bun:test";
import { cgroupLimits } from "../../packages/mesh/src/cgroup.ts";
import { isLoadNews, tidyLoad } from "../../packages/mesh/src/load.ts";
import { createOwnLoad, type LoadProbe, processProbe } from "../../packages/mesh/src/own-load.ts";

const NO_LIMITS = { cpus: null, memoryBytes: null };

function probeOf(change: Partial<LoadProbe>): LoadProbe {
  return {
    now: () => 0,
    cpuMs: () => 0,
    residentBytes: () => 100,
    limits: () => NO_LIMITS,
    cpus: 4,
    totalBytes: 1000,
    ...change,
  };
}

describe("a process's own load", () => {
  test("is its share of the machine's processors since the last reading, and of its memory", () => {
    let [now, used] = [0, 0];
    const read = createOwnLoad(probeOf({ now: () => now, cpuMs: () => used }));
    expect(read()).toEqual({ memory: 0.1 });
    [now, used] = [1000, 2000];
    expect(read()).toEqual({ cpu: 0.5, memory: 0.1 });
    [now, used] = [2000, 2400];
    expect(read()).toEqual({ cpu: 0.1, memory: 0.1 });
  });

  test("stays as it was when it is read again at once", () => {
    let [now, used] = [0, 0];
    const read = createOwnLoad(probeOf({ now: () => now, cpuMs: () => used }));
    [now, used] = [1000, 1000];
    expect(read().cpu).toBe(0.25);
    [now, used] = [1001, 1004];
    expect(read().cpu).toBe(0.25);
  });

  test("is of what its control group allows, also when that is changed", () => {
    let [now, used] = [0, 0];
    let limits: ReturnType<LoadProbe["limits"]> = { cpus: 0.5, memoryBytes: 200 };
    const read = createOwnLoad(probeOf({ now: () => now, cpuMs: () => used, limits: () => limits }));
    [now, used] = [1000, 500];
    expect(read()).toEqual({ cpu: 1, memory: 0.5 });
    limits = { cpus: 8, memoryBytes: 5000 };
    [now, used] = [2000, 2500];
    expect(read()).toEqual({ cpu: 0.5, memory: 0.1 });
  });

  test("can be read of this very process", () => {
    const { memory } = createOwnLoad(processProbe())();
    expect(memory).toBeGreaterThan(0);
    expect(memory).toBeLessThan(1);
  });
});

describe("the limits of control groups", () => {
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, object])[] = [
    ["are none where there are none", {}, NO_LIMITS],
    [
      "are those of a container, which sees its own group as the root",
      {
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/cpu.max": "150000 100000\n",
        "/sys/fs/cgroup/memory.max": "max\n",
      },
      { cpus: 1.5, memoryBytes: null },
    ],
    [
      "are the strictest of a group and those above it",
      {
        "/proc/self/cgroup": "0::/pods/shop\n",
        "/sys/fs/cgroup/pods/shop/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/pods/shop/memory.max": "1000\n",
        "/sys/fs/cgroup/pods/cpu.max": "200000 100000\n",
        "/sys/fs/cgroup/pods/memory.max": "500\n",
      },
      { cpus: 2, memoryBytes: 500 },
    ],
    [
      "are read of the first version",
      {
        "/proc/self/cgroup": "4:memory:/a\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "700\n",
      },
      { cpus: 0.5, memoryBytes: 700 },
    ],
    [
      "of the first version are none by a huge number and by -1",
      {
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      },
      NO_LIMITS,
    ],
  ];
  for (const [name, files, limits] of rows) {
    test(name, () => {
      expect(cgroupLimits((path) => files[path] ?? null)).toEqual(Object.assign({}, NO_LIMITS, limits));
    });
  }
});

describe("a load that is told", () => {
  test("keeps to its bounds, and leaves out what is no number", () => {
    expect(tidyLoad({ cpu: 1.7, memory: -1, inFlight: 2.6 })).toEqual({ cpu: 1, memory: 0, inFlight: 3 });
    expect(tidyLoad({ cpu: Number.NaN, memory: Number.POSITIVE_INFINITY })).toEqual({});
  });

  test("is news when a share has moved by a tenth, came or went", () => {
    expect(isLoadNews({ cpu: 0.5 }, { cpu: 0.59 })).toBe(false);
    expect(isLoadNews({ cpu: 0.5 }, { cpu: 0.6 })).toBe(true);
    expect(isLoadNews({ memory: 0.3 }, { memory: 0.2 })).toBe(true);
    expect(isLoadNews({ memory: 0.3 }, {})).toBe(true);
    expect(isLoadNews({ inFlight: 1 }, { inFlight: 900 })).toBe(false);
    expect(isLoadNews(undefined, undefined)).toBe(false);
  });
});
