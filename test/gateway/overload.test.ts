import { afterEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { Config } from "../../src/config/types.ts";
import { createOverload, type Overload } from "../../src/gateway/overload.ts";
import { cgroupMemoryBytes, maxDescriptors, openDescriptors } from "../../src/gateway/overload-signals.ts";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics.ts";
import { AcceptGate } from "../../src/wire/accept-gate.ts";

const LIMITS: Config["limits"] = {
  headerBytes: 1,
  headerCount: 1,
  uriBytes: 1,
  trailerBytes: 1,
  bodyBytes: null,
  connections: 1000,
  connectionsPerClient: null,
  headerTimeoutMs: 1,
  idleTimeoutMs: 1,
  bodyMinRate: null,
};

interface Watched {
  readonly overload: Overload;
  readonly gate: AcceptGate;
  readonly metrics: Metrics;
  readonly log: readonly Readonly<Record<string, unknown>>[];
  readonly closedIdle: () => number;
  /** How often memory was to be collected; each time takes `system.collectMs`. */
  readonly collected: () => number;
  /** Bytes that were to be freed by breaking connections off. */
  readonly cut: readonly number[];
  /** What the system tells from now on. */
  readonly system: { resident: number; allowed: number | null; open: number; unused: number; collectMs: number };
  /** Lets time pass in samples; `lateMs` is how late the last one comes. */
  pass(samples: number, lateMs?: number): void;
  /** Lets time pass in which the timer does not come. */
  advance(ms: number): void;
  update(overload: Config["overload"], workers?: number): void;
}

let running: Overload | null = null;

afterEach(() => {
  running?.close();
  running = null;
});

function watch(max = 10_000): Watched {
  const system: Watched["system"] = { resident: 100, allowed: null, open: 10, unused: 0, collectMs: 0 };
  const gate = new AcceptGate();
  const metrics = createMetrics({ version: "test" });
  const log: Readonly<Record<string, unknown>>[] = [];
  let now = 0;
  let closed = 0;
  let collected = 0;
  const cut: number[] = [];
  const overload = createOverload({
    gate,
    closeIdle: () => void closed++,
    cutSlowest: (bytes) => {
      cut.push(bytes);
      return 2;
    },
    metrics,
    log: pino({ level: "debug" }, { write: (line) => void log.push(JSON.parse(line)) }),
    random: () => 0,
    sources: {
      resident: () => system.resident,
      allowed: () => system.allowed,
      openDescriptors: () => system.open,
      maxDescriptors: () => max,
      now: () => now,
      collect: () => {
        collected++;
        now += system.collectMs;
        system.resident -= system.unused;
      },
    },
  });
  running = overload;
  return {
    overload,
    gate,
    metrics,
    log,
    closedIdle: () => closed,
    collected: () => collected,
    cut,
    system,
    pass(samples, lateMs = 0) {
      for (let i = 0; i < samples; i++) {
        now += 100 + (i === samples - 1 ? lateMs : 0);
        overload.tick();
      }
    },
    advance(ms) {
      now += ms;
    },
    update: (limits, workers = 1) => overload.update({ overload: limits, limits: LIMITS, workers }),
  };
}

describe("memory", () => {
  test("sheds by what is used of the threshold, holds new connections at the whole of it, and lets go again", () => {
    const { overload, gate, system, pass, update, log } = watch();
    update({ memoryBytes: 1000, lagMs: null });
    const levels = [700, 810, 950, 1000, 960, 700].map((resident) => {
      system.resident = resident;
      pass(1);
      return [overload.shedder.level, gate.isPaused];
    });
    expect(levels).toEqual([
      [0, false],
      [1, false],
      [2, false],
      [3, true],
      [3, true],
      [0, false],
    ]);
    expect(log.map(({ msg, sheds }) => `${msg}: ${sheds}`)).toContain("overload: more requests are shed: low");
    expect(log.at(-2)).toMatchObject({ msg: "overload: fewer requests are shed", sheds: "nothing", signal: "memory" });
  });

  test("makes the gateway unready when it has kept new connections waiting for long, without a break", () => {
    const { overload, system, pass, update } = watch();
    update({ memoryBytes: 1000, lagMs: null });
    const heldFor = (resident: number, samples: number) => {
      system.resident = resident;
      pass(samples);
      return overload.isOverloaded;
    };
    expect(heldFor(1000, 50)).toBe(false);
    expect(heldFor(700, 1)).toBe(false);
    expect(heldFor(1000, 51)).toBe(false);
    expect(heldFor(1000, 1)).toBe(true);
    expect(heldFor(700, 1)).toBe(false);
  });

  test("is measured against nine tenths of the control group's where none is configured, shared by the workers", () => {
    const { overload, system, pass, update } = watch();
    system.allowed = 2000;
    update({ memoryBytes: null, lagMs: null }, 2);
    system.resident = 900;
    pass(1);
    expect([overload.shedder.level, overload.shedder.pressure]).toEqual([3, 1]);
  });

  test("is not watched where nothing bounds it", () => {
    const { overload, system, pass, update } = watch();
    update({ memoryBytes: null, lagMs: null });
    system.resident = Number.MAX_SAFE_INTEGER;
    pass(3);
    expect(overload.shedder.level).toBe(0);
  });

  test("that nobody uses any more is given back before anybody is broken off", () => {
    const { gate, system, pass, update, cut } = watch();
    update({ memoryBytes: 1000, lagMs: null });
    system.resident = 1500;
    system.unused = 1200;
    pass(12);
    expect(system.resident).toBe(300);
    expect([cut, gate.isPaused]).toEqual([[], false]);
  });

  test("is collected once a second from nine tenths on, for a twentieth of the time at most", () => {
    const { system, pass, update, collected } = watch();
    update({ memoryBytes: 1000, lagMs: null });
    system.resident = 850;
    pass(20);
    expect(collected()).toBe(0);
    system.resident = 920;
    pass(50);
    expect(collected()).toBeWithin(4, 7);
    system.collectMs = 500;
    const before = collected();
    pass(200);
    expect(collected() - before).toBeWithin(1, 5);
  });

  test("closes connections between requests from nine tenths on, once a second", () => {
    const { closedIdle, system, pass, update } = watch();
    update({ memoryBytes: 1000, lagMs: null });
    system.resident = 850;
    pass(30);
    expect(closedIdle()).toBe(0);
    system.resident = 950;
    pass(20);
    expect(closedIdle()).toBe(2);
  });
});

test("memory over the threshold is freed from slow readers, down to a little below it, once a second", async () => {
  const { system, pass, update, cut, metrics } = watch();
  update({ memoryBytes: 1000, lagMs: null });
  system.resident = 999;
  pass(20);
  expect(cut).toEqual([]);
  system.resident = 1250;
  pass(20);
  expect(cut).toEqual([300, 300]);
  expect(await metrics.render()).toContain("torii_connections_cut_total 4\n");
});

describe("lag", () => {
  test("of the event loop sheds when it stays, not for one long pause", () => {
    const { overload, pass, update } = watch();
    update({ memoryBytes: null, lagMs: 50 });
    pass(1, 5000);
    expect(overload.shedder.level).toBe(0);
    for (let i = 0; i < 10; i++) pass(1, 60);
    expect([overload.shedder.level, overload.shedder.reason]).toEqual([3, "lag"]);
    pass(20);
    expect(overload.shedder.level).toBe(0);
  });
});

test("is looked at by requests as well, for a timer comes late when it matters most", () => {
  const { overload, gate, system, advance, update } = watch();
  update({ memoryBytes: 1000, lagMs: 50 });
  system.resident = 1000;
  expect(overload.shedder.dueAt).toBe(0);
  advance(450);
  overload.shedder.look();
  expect([overload.shedder.level, gate.isPaused, overload.shedder.dueAt]).toEqual([3, true, 550]);
});

describe("connections", () => {
  test("near their limit cost requests of low priority only, and at it connections between requests go", () => {
    const { overload, gate, closedIdle, pass, update } = watch();
    update({ memoryBytes: null, lagMs: null });
    gate.open = 950;
    pass(1);
    expect(overload.shedder.level).toBe(1);
    gate.open = 1000;
    pass(20);
    expect([overload.shedder.level, overload.shedder.reason, gate.isPaused]).toEqual([1, "connections", false]);
    expect(closedIdle()).toBeGreaterThan(0);
  });
});

describe("file descriptors", () => {
  test("bound the connections to what is left, two for each and some for the rest", () => {
    const { gate, system, pass, update, log } = watch(1024);
    update({ memoryBytes: null, lagMs: null });
    gate.open = 100;
    system.open = 300;
    pass(1);
    expect([gate.most, gate.isPaused]).toEqual([100 + 330, false]);
    system.open = 1000;
    pass(1);
    expect(gate.isPaused).toBe(true);
    expect(log.at(-1)).toMatchObject({ msg: "overload: new connections have to wait", freeDescriptors: -40 });
    system.open = 400;
    pass(1);
    expect(gate.isPaused).toBe(false);
  });

  test("are not bounded where the system bounds none", () => {
    const { gate, pass } = watch(Number.POSITIVE_INFINITY);
    pass(1);
    expect(gate.most).toBe(Number.POSITIVE_INFINITY);
  });
});

test("every pressure is a metric, and so is what was shed and whether accepting rests", async () => {
  const { overload, system, metrics, pass, update } = watch();
  update({ memoryBytes: 1000, lagMs: null });
  system.resident = 1000;
  pass(1);
  expect([overload.shedder.sheds("low"), overload.shedder.sheds("high")]).toEqual([true, true]);
  const text = await metrics.render();
  expect(text).toContain('torii_overload_pressure{signal="memory"} 1\n');
  expect(text).toContain('torii_overload_pressure{signal="lag"} 0\n');
  expect(text).toContain('torii_requests_shed_total{priority="high",reason="memory"} 1\n');
  expect(text).toContain("torii_accept_paused 1\n");
});

describe("what the system tells", () => {
  test("of memory is the narrowest bound from the own control group up", async () => {
    const root = await mkdtemp(join(tmpdir(), "torii-cgroup-"));
    try {
      await mkdir(join(root, "pod/container"), { recursive: true });
      await writeFile(join(root, "pod/container/memory.max"), "max\n");
      await writeFile(join(root, "pod/memory.max"), "1048576\n");
      expect(cgroupMemoryBytes(root, "12:cpu:/x\n0::/pod/container\n")).toBe(1_048_576);
      expect(cgroupMemoryBytes(root, "0::/\n")).toBeNull();
      expect(cgroupMemoryBytes(root, "4:memory:/v1\n")).toBeNull();
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test("of descriptors is how many are open and how many may be", () => {
    expect(
      maxDescriptors("Limit  Soft  Hard  Units\nMax open files            1024                 4096   files\n"),
    ).toBe(1024);
    expect(maxDescriptors("Max open files            unlimited            unlimited            files\n")).toBe(
      Number.POSITIVE_INFINITY,
    );
    const before = openDescriptors();
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    expect([before > 0, openDescriptors()]).toEqual([true, before + 1]);
    server.stop(true);
  });
});
