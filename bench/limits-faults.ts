import { parseArgs } from "node:util";
import { demandsOf, GATEWAYS, specOf } from "./limits/cases.ts";
import { type FaultOutcome, runFault } from "./limits/fault-run.ts";
import { FAULTS } from "./limits/faults.ts";
import type { Judgement } from "./limits/judge.ts";
import { tableText } from "./limits/table.ts";
import { describeMachine } from "./machine.ts";

const USAGE = `bun run bench:limits-faults [options]

  --only TEXT      faults whose name has this text
  --limit N        units for each second (default 200)
  --burst N        units at once (default: the limit)
  --demand N,N     of all gateways, as multiples of the limit (default 0.6,4)
`;

const HEAD = [
  "",
  "demand",
  "worst excess",
  "allowed",
  "during %",
  "after %",
  "of all %",
  "slowest ms",
  "faults",
  "verdicts by mode",
];

function percent({ admitted, admissible }: Judgement): string {
  return admissible === 0 ? "–" : ((100 * admitted) / admissible).toFixed(1);
}

function rowOf(name: string, demand: number, outcome: FaultOutcome): readonly string[] {
  const { all, during, after, allowedExcess, slowestMs, faults, modes } = outcome;
  return [
    name,
    `${demand}x`,
    all.worstExcess.toFixed(2),
    String(allowedExcess),
    percent(during),
    percent(after),
    percent(all),
    slowestMs.toFixed(0),
    String(faults.length),
    Object.entries(modes)
      .map(([mode, count]) => `${mode} ${count}`)
      .join(", "),
  ];
}

interface Asked {
  readonly only: string;
  readonly limit: number;
  readonly burst: number;
  readonly demands: readonly number[];
}

function readArguments(args: readonly string[]): Asked | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      limit: { type: "string", default: "200" },
      burst: { type: "string" },
      demand: { type: "string", default: "0.6,4" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const limit = Number(values.limit);
  const demands = values.demand.split(",").map(Number);
  return { only: values.only, limit, burst: Number(values.burst ?? limit), demands };
}

async function main(args: readonly string[]): Promise<number> {
  const asked = readArguments(args);
  if (asked === null) {
    console.log(USAGE);
    return 0;
  }
  const { only, limit, burst, demands } = asked;
  console.log(`${describeMachine()}; ${GATEWAYS} gateways, one key, ${limit}/s, burst ${burst}`);
  const rows: (readonly string[])[] = [HEAD];
  const failures: string[] = [];
  for (const fault of FAULTS.filter(({ name }) => name.includes(only))) {
    for (const demand of demands) {
      const members = demandsOf({ limit, burst, pattern: "even", keys: 1, demand: demand * limit });
      const run = { spec: specOf({ limit, burst }), demands: members, beforeMs: 3000, afterMs: 5000 };
      const outcome = await runFault(fault, run);
      rows.push(rowOf(fault.name, demand, outcome));
      console.error(rows.at(-1)?.join("  "));
      const { all, allowedExcess, faults } = outcome;
      if (all.worstExcess > allowedExcess + 1e-6) failures.push(`${fault.name}: ${all.worstExcess} over the bound`);
      failures.push(...faults.map((text) => `${fault.name}: ${text}`));
    }
  }
  console.log(tableText(rows));
  for (const failure of failures) console.log(`!! FAILED: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
