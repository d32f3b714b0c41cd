import { parseArgs } from "node:util";
import { type RedisProcess, startRedis } from "../test/support/redis.ts";
import { allCases, type Case, demandsOf, nameOf, specOf } from "./limits/cases.ts";
import { startGroup } from "./limits/group.ts";
import type { LimiterKind } from "./limits/job.ts";
import { type Judgement, judge } from "./limits/judge.ts";
import { resetCalls, scriptCalls } from "./limits/redis-calls.ts";
import { tableText } from "./limits/table.ts";
import { describeMachine } from "./machine.ts";

const USAGE = `bun run bench:limits [options]

  --seconds S           of load for each case (default 30)
  --script-seconds S    of load by the script (default: the same)
  --only TEXT[,TEXT]    cases whose name has one of these texts, such as "1000/s" or "skewed" or "100 keys"
  --json FILE           also writes all figures
`;

interface Outcome extends Judgement {
  readonly kind: LimiterKind;
  readonly seconds: number;
  readonly callsPerSecond: number;
  /** Without heartbeats. */
  readonly keyCallsPerSecond: number;
  /** Redis's own time for a script. */
  readonly usPerCall: number;
  readonly faults: readonly string[];
}

async function runCase(redis: RedisProcess, one: Case, { kind, seconds }: { kind: LimiterKind; seconds: number }) {
  const members = demandsOf(one).map((demand) => ({ demand, redis: { url: redis.url } }));
  await using group = await startGroup({ kind, spec: specOf(one), keys: one.keys, seconds, members });
  await resetCalls(redis);
  group.go();
  const reports = await Promise.all(group.members.map(({ report }) => report));
  const { calls, usPerCall } = await scriptCalls(redis);
  const records = await group.records();
  const keyCalls = reports.reduce((sum, report) => sum + (report?.storeCalls ?? 0), 0);
  const outcome: Outcome = {
    kind,
    seconds,
    ...judge(records.values(), { burst: one.burst, perMs: one.limit / 1000 }),
    callsPerSecond: calls / seconds,
    keyCallsPerSecond: keyCalls / seconds,
    usPerCall,
    faults: reports.flatMap((report) => report?.faults ?? ["a process ended without a report"]),
  };
  return outcome;
}

const HEAD = ["", "by", "asked/s", "admitted", "of bound %", "worst excess", "calls/s", "for keys", "part of script's"];

function rowOf(one: Case, outcome: Outcome, script: Outcome): readonly string[] {
  const { kind, seconds, offered, admitted, admissible, worstExcess, callsPerSecond, keyCallsPerSecond } = outcome;
  return [
    kind === "script" ? "" : nameOf(one),
    kind,
    (offered / seconds).toFixed(0),
    String(admitted),
    ((100 * admitted) / admissible).toFixed(2),
    worstExcess.toFixed(2),
    callsPerSecond.toFixed(1),
    keyCallsPerSecond.toFixed(1),
    kind === "script" ? "" : `1/${(script.callsPerSecond / callsPerSecond).toFixed(1)}`,
  ];
}

interface Asked {
  readonly seconds: number;
  readonly scriptSeconds: number;
  readonly cases: readonly Case[];
  readonly json: string | null;
}

/** Null: help was asked for, or something makes no sense. */
function readArguments(args: readonly string[]): Asked | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "30" },
      "script-seconds": { type: "string" },
      only: { type: "string", default: "" },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const seconds = Number(values.seconds);
  const scriptSeconds = Number(values["script-seconds"] ?? seconds);
  const texts = values.only.split(",");
  const cases = allCases().filter((one) => texts.some((text) => nameOf(one).includes(text)));
  if (values.help || !(seconds > 0) || !(scriptSeconds > 0) || cases.length === 0) return null;
  return { seconds, scriptSeconds, cases, json: values.json ?? null };
}

async function main(args: readonly string[]): Promise<number> {
  const asked = readArguments(args);
  if (asked === null) {
    console.log(USAGE);
    return 2;
  }
  console.log(describeMachine());
  await using redis = await startRedis();
  const rows: (readonly string[])[] = [HEAD];
  const figures: unknown[] = [];
  const faults: string[] = [];
  for (const one of asked.cases) {
    const lease = await runCase(redis, one, { kind: "lease", seconds: asked.seconds });
    const script = await runCase(redis, one, { kind: "script", seconds: asked.scriptSeconds });
    const pair = [rowOf(one, lease, script), rowOf(one, script, script)];
    rows.push(...pair);
    console.error(pair.map((row) => row.join("  ")).join("\n"));
    figures.push({ case: nameOf(one), lease, script });
    if (lease.worstExcess > 1e-6) faults.push(`${nameOf(one)}: ${lease.worstExcess} over the bound`);
    faults.push(...lease.faults.map((fault) => `${nameOf(one)}: ${fault}`));
  }
  console.log(tableText(rows));
  if (asked.json !== null) await Bun.write(asked.json, JSON.stringify(figures, null, 2));
  for (const fault of faults) console.log(`!! FAILED: ${fault}`);
  return faults.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
