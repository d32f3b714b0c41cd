import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Names of scenarios, in the order given; empty for all. */
  readonly scenarios: readonly string[];
  /** Names of proxies; empty for all that are installed. */
  readonly proxies: readonly string[];
  readonly rounds: number;
  /** Of load for each proxy in each round. */
  readonly seconds: number;
  /** Instead of each scenario's own number of clients; null to leave it. */
  readonly connections: number | null;
  readonly jsonFile: string | null;
  /** All proxies write an access log to a file. */
  readonly hasAccessLog: boolean;
  readonly isHelp: boolean;
}

/** What `--help` prints. */
export const USAGE = `bun run bench [options]

  --scenario NAME[,NAME]  only these (default: all)
  --proxies NAME[,NAME]   only these of nginx, haproxy, caddy, envoy, torii (nginx always runs: it is the measure)
  --rounds N              rounds, each in the reverse order of the one before (default 5)
  --seconds S             of load for each proxy in each round (default 5)
  --connections N         clients, instead of each scenario's own number
  --access-log            every proxy writes an access log to a file
  --json FILE             also writes all figures of all rounds
`;

/** Throws with one line on unknown options and on numbers that are not positive whole ones. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: "string", multiple: true },
      proxies: { type: "string", multiple: true },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "5" },
      connections: { type: "string" },
      json: { type: "string" },
      "access-log": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    scenarios: names(values.scenario),
    proxies: names(values.proxies),
    rounds: positive("--rounds", values.rounds),
    seconds: positive("--seconds", values.seconds),
    connections: values.connections === undefined ? null : positive("--connections", values.connections),
    jsonFile: values.json ?? null,
    hasAccessLog: values["access-log"],
    isHelp: values.help,
  };
}

function names(lists: readonly string[] = []): readonly string[] {
  return lists.flatMap((list) => list.split(",")).filter((name) => name !== "");
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${option} ${text}: must be a whole number from 1 on`);
}

/** Throws with one line that names every possible value when one of `given` is not among them. */
export function checkNames(option: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${option} ${unknown}: must be one of ${known.join(", ")}`);
}
