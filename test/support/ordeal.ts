import type { EndpointProcess, Fault } from "./endpoint-process.ts";
import { type FaultGateway, type FaultMesh, WINDOW_MS } from "./fault-mesh.ts";
import { eventually } from "./load.ts";
import { figuresOf, type PacedLoad, type Sample } from "./paced-load.ts";

/** What befalls so many endpoints. */
export type Blow = readonly [fault: Fault, endpoints: number];

/** A fault and who has it. */
export interface Ailment {
  readonly fault: Fault;
  readonly ill: readonly EndpointProcess[];
}

/** Gives each fault endpoints of its own, from the first one of the mesh on. */
export function shared({ endpoints }: FaultMesh, blows: readonly Blow[]): readonly Ailment[] {
  let from = 0;
  return blows.map(([fault, count]) => {
    from += count;
    return { fault, ill: endpoints.slice(from - count, from) };
  });
}

/** A service's own counts. */
export interface Totals {
  readonly retries: Readonly<Record<string, number>>;
  readonly hedges: Readonly<Record<string, number>>;
  readonly ejections: number;
}

export async function totalsOf(gateway: FaultGateway): Promise<Totals> {
  return (await gateway.view()).totals;
}

/** From one moment to another, each in milliseconds of `performance.now()`. */
export interface Course {
  readonly name: string;
  readonly at: number;
  /** When all that are ill were seen to be out. */
  readonly foundAt: number;
  readonly healedAt: number;
  readonly before: Totals;
  readonly after: Totals;
  /** How long after `healedAt` all are used again; rejects when they are not. */
  readonly recovery: Promise<number>;
}

export interface Ordeal {
  readonly name: string;
  readonly gateway: FaultGateway;
  readonly load: PacedLoad;
  readonly ailments: readonly Ailment[];
  /** Waited for between the moment that all are found and the healing; so many more answers unless given. */
  readonly until?: (ids: readonly string[]) => Promise<void>;
}

const MORE = 100;

/** Waits for so many more answers. */
export async function more(load: PacedLoad, count: number): Promise<void> {
  const before = load.samples.length;
  await eventually(() => load.samples.length >= before + count, "more answers", 60_000);
}

/** Lets the faults begin at once, waits until the gateway found them all, and heals them. */
export async function endure({ name, gateway, load, ailments, until }: Ordeal): Promise<Course> {
  const ill = ailments.flatMap((ailment) => ailment.ill);
  const ids = ill.map(({ id }) => id);
  const before = await totalsOf(gateway);
  const at = performance.now();
  await Promise.all(ailments.flatMap((ailment) => ailment.ill.map((endpoint) => endpoint.fail(ailment.fault))));
  await gateway.out(ids);
  const foundAt = performance.now();
  await (until?.(ids) ?? more(load, MORE));
  const after = await totalsOf(gateway);
  const healedAt = performance.now();
  await Promise.all(ill.map((endpoint) => endpoint.heal()));
  const recovery = gateway.back(ids).then(() => performance.now() - healedAt);
  // Whoever waits for it hears of its failure.
  recovery.catch(() => {});
  return { name, at, foundAt, healedAt, before, after, recovery };
}

export const failed = (samples: readonly Sample[]): readonly Sample[] =>
  samples.filter(({ outcome }) => outcome !== "ok");

/** Those that began from one moment to before another. */
export function between(samples: readonly Sample[], fromAt: number, toAt: number): readonly Sample[] {
  return samples.filter(({ at }) => at >= fromAt && at < toAt);
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, one) => all + one, 0);
const row = (cells: readonly unknown[]) => `| ${cells.join(" | ")} |\n`;
const ms = (value: number) => value.toFixed(value < 10 ? 1 : 0);

/**
 * Prints what became of the requests, for whoever wants figures: with `FIGURES=1` a line (ms until found, ms until used
 * again; failed of all, p50, p99 and longest until found, and after; retries, hedges, ejections), with
 * `FIGURES=timeline` each tenth of a second too.
 */
export async function report(course: Course, samples: readonly Sample[]): Promise<void> {
  const wanted = process.env["FIGURES"];
  if (wanted === undefined) return;
  const { name, at, foundAt, healedAt, before, after } = course;
  const parts = [figuresOf(samples, at, foundAt), figuresOf(samples, foundAt, healedAt)].flatMap((part) => [
    `${part.failed} of ${part.requests}`,
    [part.p50Ms, part.p99Ms, part.longestMs].map(ms).join(" / "),
  ]);
  const counts = [
    sum(after.retries) - sum(before.retries),
    sum(after.hedges) - sum(before.hedges),
    after.ejections - before.ejections,
  ];
  process.stdout.write(row([name, ms(foundAt - at), ms(await course.recovery), ...parts, ...counts]));
  if (wanted !== "timeline") return;
  for (let from = at - 300; from < Math.max(healedAt, at + WINDOW_MS); from += 100) {
    const part = figuresOf(samples, from, from + 100);
    process.stdout.write(
      row([`${name} ${ms(from - at)}`, part.requests, part.failed, ms(part.p50Ms), ms(part.longestMs)]),
    );
  }
}
