import type { MixedEdge } from "./edge.ts";

/** One kind of traffic. */
export interface Actor {
  readonly name: string;
  /** From one act of a performer to its next, on average. */
  readonly everyMs: number;
  /** How many perform at once; 1 unless given. */
  readonly performers?: number;
  /** Opens what the acts keep. Asked again after a failure. */
  start(edge: MixedEdge): Performance | Promise<Performance>;
}

export interface Performance {
  /** Rejects with what was wrong. */
  act(): Promise<void>;
  /** Lets go of what was opened; nothing unless given. */
  close?(): void;
}

/** Acts that keep nothing from one to the next. */
export function each(act: (edge: MixedEdge) => Promise<void>): Actor["start"] {
  return (edge) => ({ act: () => act(edge) });
}

/** What came of it all. */
export interface Tally {
  /** Acts that went well, by actor. */
  readonly done: ReadonlyMap<string, number>;
  /** Those that did not, by actor. */
  readonly failed: ReadonlyMap<string, number>;
  /** The first three of each actor's. */
  readonly failures: readonly string[];
}

/** Everybody at work. */
export interface Traffic {
  readonly tally: Tally;
  /** Ends after the acts under way, and closes what they kept. */
  stop(): Promise<Tally>;
}

const KEPT_FAILURES = 3;
const ACT_TIMEOUT_MS = 45_000;

function createTally() {
  const done = new Map<string, number>();
  const failed = new Map<string, number>();
  const failures: string[] = [];
  const startedAt = performance.now();
  const add = (to: Map<string, number>, name: string) => {
    const count = (to.get(name) ?? 0) + 1;
    to.set(name, count);
    return count;
  };
  return {
    done,
    failed,
    failures,
    did: (name: string) => void add(done, name),
    fail(name: string, error: unknown) {
      if (add(failed, name) > KEPT_FAILURES) return;
      const after = ((performance.now() - startedAt) / 1000).toFixed(1);
      failures.push(`${name}, after ${after} s: ${error instanceof Error ? (error.stack ?? error) : error}`);
    },
  };
}

interface Stage {
  readonly edge: MixedEdge;
  readonly tally: ReturnType<typeof createTally>;
  readonly stopped: AbortSignal;
  readonly random: () => number;
}

/** Waits, but not beyond the end. */
async function pause(ms: number, stopped: AbortSignal): Promise<void> {
  if (stopped.aborted || ms <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const cut = () => {
    clearTimeout(timer);
    resolve();
  };
  stopped.addEventListener("abort", cut);
  await promise;
  stopped.removeEventListener("abort", cut);
}

/** Between half and one and a half of the time, so that the actors fall out of step. */
function spread({ everyMs }: Actor, { random }: Stage): number {
  return everyMs * (0.5 + random());
}

/** Rejects when the act does not end: whatever waits for ever is a failure. */
async function bounded(act: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`did not end within ${ACT_TIMEOUT_MS} ms`)), ACT_TIMEOUT_MS);
  try {
    await Promise.race([act, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function actOn(performing: Performance, actor: Actor, stage: Stage): Promise<void> {
  while (!stage.stopped.aborted) {
    const dueAt = performance.now() + spread(actor, stage);
    await bounded(performing.act());
    stage.tally.did(actor.name);
    await pause(dueAt - performance.now(), stage.stopped);
  }
}

async function perform(actor: Actor, stage: Stage): Promise<void> {
  await pause(actor.everyMs * stage.random(), stage.stopped);
  while (!stage.stopped.aborted) {
    let performing: Performance | null = null;
    try {
      performing = await actor.start(stage.edge);
      await actOn(performing, actor, stage);
    } catch (error) {
      stage.tally.fail(actor.name, error);
      await pause(actor.everyMs, stage.stopped);
    } finally {
      performing?.close?.();
    }
  }
}

/** Sends everybody to work. */
export function startTraffic(actors: readonly Actor[], edge: MixedEdge, random: () => number): Traffic {
  const tally = createTally();
  const stopped = new AbortController();
  const stage: Stage = { edge, tally, stopped: stopped.signal, random };
  const all = actors.flatMap((actor) => Array.from({ length: actor.performers ?? 1 }, () => perform(actor, stage)));
  return {
    tally,
    async stop() {
      stopped.abort();
      await Promise.all(all);
      return tally;
    },
  };
}
