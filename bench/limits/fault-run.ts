import type { LimitSpec } from "../../src/limit/limit.ts";
import type { FaultSpec } from "./faults.ts";
import { startGroup } from "./group.ts";
import type { Demand } from "./job.ts";
import { type Judgement, judge } from "./judge.ts";
import { machineClockOffsetMs } from "./machine-clock.ts";

export interface FaultRun {
  readonly spec: LimitSpec;
  readonly demands: readonly Demand[];
  /** Before the fault and after it. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Instead of the fault's own time. */
  readonly lastsMs?: number;
}

/** What became of the requests of a run. */
export interface FaultOutcome {
  readonly all: Judgement;
  /** Between the beginning of the fault and its end, and from then on. */
  readonly during: Judgement;
  readonly after: Judgement;
  /** What the worst interval may be over the bound. */
  readonly allowedExcess: number;
  readonly faults: readonly string[];
  /** Verdicts of all gateways, by how they were come by. */
  readonly modes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

function sumOf(counts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const one of counts) for (const [name, count] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Loads a limit through a fault, with new servers and new processes. */
export async function runFault({ make, lastsMs: own }: FaultSpec, run: FaultRun): Promise<FaultOutcome> {
  const { spec, demands, beforeMs, afterMs, lastsMs = own } = run;
  await using fault = await make(lastsMs);
  const members = demands.map((demand, number) => ({ demand, redis: fault.target(number) }));
  const seconds = (beforeMs + lastsMs + afterMs) / 1000;
  await using group = await startGroup({ kind: "lease", spec, keys: 1, seconds, members });
  const offsetMs = machineClockOffsetMs();
  group.go();
  await Bun.sleep(beforeMs);
  const fromAt = performance.now() + offsetMs;
  await fault.begin(group);
  await Bun.sleep(lastsMs);
  const toAt = performance.now() + offsetMs;
  await fault.end(group);
  const reports = await Promise.all(group.members.map(({ report }) => report));
  const keys = [...(await group.records()).values()];
  const bound = { burst: spec.burst, perMs: spec.limit / spec.perMs };
  const heard = reports.filter((report) => report !== null);
  const expected = demands.length - (fault.endsGateway ? 1 : 0);
  const silent = heard.length < expected ? ["a process ended without a report"] : [];
  return {
    all: judge(keys, bound),
    during: judge(keys, bound, { fromAt, toAt }),
    after: judge(keys, bound, { fromAt: toAt, toAt: Number.POSITIVE_INFINITY }),
    allowedExcess: fault.losesWrites ? spec.burst : 0,
    faults: [...silent, ...heard.flatMap(({ faults }) => faults)],
    modes: sumOf(heard.map(({ modes }) => modes)),
    slowestMs: Math.max(0, ...heard.map(({ slowestMs }) => slowestMs)),
  };
}
