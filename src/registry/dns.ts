import { createDnsClient, type DnsClient } from "./dns-client.ts";
import { createDnsLookup, type DnsLookup, type DnsRound } from "./dns-lookup.ts";
import { createDnsShare, type DnsShare } from "./dns-share.ts";
import type { DnsFailure, DnsSource } from "./dns-source.ts";
import type { EndpointSpec, Registry } from "./registry.ts";

const NONE: readonly EndpointSpec[] = Object.freeze([]);

/** Whoever waits for a first set, such as a gateway that starts, waits no longer. */
const FIRST_SET_MS = 4000;

/** How it stands with a service's names. */
export type DnsState = "answering" | "failing" | "emptied";

/** A name without a good answer. */
export interface DnsTrouble {
  readonly service: string;
  readonly name: string;
  readonly reason: DnsFailure;
}

export interface DnsRegistryOptions {
  readonly random: () => number;
  /** Told of each round that got no good answer. */
  readonly onFailure?: (trouble: DnsTrouble) => void;
  /**
   * Told when it changes, once: `failing` keeps the last known endpoints, `emptied` has given them up. The trouble is
   * null when all is well again. A service whose names answer from the start is not told of.
   */
  readonly onState?: (service: string, state: DnsState, trouble: DnsTrouble | null) => void;
  /** Its own unless given. */
  readonly share?: DnsShare;
  /** Milliseconds of a clock that never goes back; only differences count. */
  readonly now?: () => number;
  /** Calls back once, after a delay; gives a function that calls it off. */
  readonly after?: (delayMs: number, run: () => void) => () => void;
}

function afterReal(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}

/** Resolves after the delay, or at once when the signal aborts. */
function pause(delayMs: number, signal: AbortSignal, after: typeof afterReal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = after(delayMs, end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

function stateOf({ trouble, isNothing }: DnsRound): DnsState {
  if (isNothing) return "emptied";
  return trouble === null ? "answering" : "failing";
}

/** Tells of failures, each, and of a change of state, once. */
function createTeller(service: string, { onFailure, onState }: DnsRegistryOptions): (round: DnsRound) => void {
  let told: DnsState = "answering";
  return (round) => {
    const trouble = round.trouble === null ? null : { service, ...round.trouble };
    if (trouble !== null) onFailure?.(trouble);
    const state = stateOf(round);
    if (state === told) return;
    told = state;
    onState?.(service, state, trouble);
  };
}

/** What watches of one source know together. */
interface Recall {
  /** What any of them knew last. */
  known(): readonly EndpointSpec[];
  /** What a round leaves: what is known, as long as this watch knows nothing itself. */
  after(round: DnsRound): readonly EndpointSpec[];
}

function createRecall(source: DnsSource, { remembered }: DnsShare): Recall {
  const key = JSON.stringify(source);
  const known = () => remembered.get(key) ?? NONE;
  return {
    known,
    after: ({ endpoints, trouble, isNothing }) => {
      if (endpoints.length === 0 && trouble !== null && !isNothing) return known();
      remembered.set(key, endpoints);
      return endpoints;
    },
  };
}

/** Tells whether the work takes so long that nobody should wait for it. */
async function isLate(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const done = new AbortController();
  const ended = AbortSignal.any([done.signal, signal]);
  const late = pause(FIRST_SET_MS, ended, afterReal).then(() => !ended.aborted);
  const result = await Promise.race([work.then(() => false), late]);
  done.abort();
  return result;
}

interface Following {
  readonly recall: Recall;
  readonly lookup: DnsLookup;
  readonly client: DnsClient;
  readonly tell: (round: DnsRound) => void;
  readonly now: () => number;
  readonly after: typeof afterReal;
}

async function* follow(
  { lookup, client, recall, tell, now, after }: Following,
  signal: AbortSignal,
): AsyncGenerator<readonly EndpointSpec[]> {
  let given: readonly EndpointSpec[] | null = null;
  while (!signal.aborted) {
    const asking = lookup.round(client);
    if (given === null && (await isLate(asking, signal))) {
      given = recall.known();
      yield given;
    }
    const round = await asking;
    // An abort ends the questions under way, which is no failure of theirs.
    if (signal.aborted) return;
    tell(round);
    const endpoints = recall.after(round);
    if (given !== endpoints && !Bun.deepEquals(given, endpoints)) {
      given = endpoints;
      yield given;
    }
    await pause(Math.max(round.dueAt - now(), 0), signal, after);
  }
}

async function* nothing(signal: AbortSignal): AsyncGenerator<readonly EndpointSpec[]> {
  if (signal.aborted) return;
  yield NONE;
  const ended = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => ended.resolve());
  if (!signal.aborted) await ended.promise;
}

/**
 * Services whose endpoints are what DNS says, asked again when the answer's TTL ends (1 s to 5 min). The first set
 * comes with the first answer; when there is none within four seconds, it is what is remembered, or empty. Later on, a failure keeps
 * the last known set, and a "nothing" is believed when it came three times in a row. Each watch asks for itself.
 * A service that is not among them has no endpoint. Nothing is to be closed but the watches.
 */
export function createDnsRegistry(
  services: Readonly<Record<string, DnsSource>>,
  options: DnsRegistryOptions,
): Registry {
  const { now = () => performance.now(), after = afterReal, random, share = createDnsShare() } = options;
  return {
    watch(service, signal) {
      const source = Object.hasOwn(services, service) ? services[service] : undefined;
      if (source === undefined) return nothing(signal);
      const client = createDnsClient(source.resolver, share.turnsOf(source.resolver));
      signal.addEventListener("abort", client.cancel, { once: true });
      const lookup = createDnsLookup(source, { now, random });
      const tell = createTeller(service, options);
      return follow({ lookup, client, recall: createRecall(source, share), tell, now, after }, signal);
    },
  };
}
