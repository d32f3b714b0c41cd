import { createBelief } from "./dns-belief.ts";
import type { DnsClient, ServiceRecord } from "./dns-client.ts";
import { byPriority, type DnsTarget, endpointsOf, sharesOf } from "./dns-endpoints.ts";
import { createDnsHost, type DnsHost, type DnsHostDeps } from "./dns-host.ts";
import { CEILING_MS, keptMs, retryMs } from "./dns-pace.ts";
import type { DnsAnswer, DnsFailure, DnsSource } from "./dns-source.ts";
import type { EndpointSpec } from "./registry.ts";

/** What one round of questions left. */
export interface DnsRound {
  /** As last known. */
  readonly endpoints: readonly EndpointSpec[];
  /** The first name without a good answer; null: all is well. */
  readonly trouble: { readonly name: string; readonly reason: DnsFailure } | null;
  /** DNS said so often that there is nothing that the endpoints were given up. */
  readonly isNothing: boolean;
  /** DNS said that there is nothing, and is not believed yet. */
  readonly isDoubted: boolean;
  /** When the next round is due. */
  readonly dueAt: number;
}

/** Asks what is due of one source, round after round. */
export interface DnsLookup {
  round(client: DnsClient): Promise<DnsRound>;
}

function troubleOf(name: string, reason: DnsFailure | null): DnsRound["trouble"] {
  return reason === null ? null : { name, reason };
}

function hostLookup({ name, scheme }: DnsSource, port: number, deps: DnsHostDeps): DnsLookup {
  const host = createDnsHost(name, deps);
  return {
    async round(client) {
      await host.ask(client);
      const targets = host.addresses.map((address) => ({ address, port, weight: 1 }));
      const { isNothing, isDoubted, dueAt } = host;
      const trouble = troubleOf(name, host.failure);
      return { endpoints: endpointsOf(targets, scheme), trouble, isNothing, isDoubted, dueAt };
    },
  };
}

interface Group extends Pick<DnsRound, "trouble" | "isNothing" | "isDoubted"> {
  readonly targets: readonly DnsTarget[];
}

// What the records say that name no host but ".": "decidedly not available" (RFC 2782), so it need not be said again.
const NO_GROUP: Group = { targets: [], trouble: null, isNothing: true, isDoubted: false };

/** A group and the next best, which counts when the first has no target. */
function orNext(group: Group, next: Group): Group {
  return {
    targets: next.targets,
    trouble: group.trouble ?? next.trouble,
    isNothing: group.isNothing && next.isNothing,
    isDoubted: group.isDoubted || next.isDoubted,
  };
}

/** The hosts that SRV records name, each asked for when its own answer is due. */
function createHosts(deps: DnsHostDeps) {
  const hosts = new Map<string, DnsHost>();
  const isDue = ({ dueAt }: DnsHost): boolean => dueAt <= deps.now();

  async function hostOf(name: string, client: DnsClient): Promise<DnsHost> {
    const host = hosts.get(name) ?? createDnsHost(name, deps);
    hosts.set(name, host);
    if (isDue(host)) await host.ask(client);
    return host;
  }

  async function resolve(records: readonly ServiceRecord[], client: DnsClient): Promise<Group> {
    const names = [...new Set(records.map(({ name }) => name))];
    const asked = new Map(await Promise.all(names.map(async (name) => [name, await hostOf(name, client)] as const)));
    const targets = sharesOf(records).flatMap(({ name, port, weight }) =>
      (asked.get(name)?.addresses ?? []).map((address) => ({ address, port, weight })),
    );
    const all = [...asked.values()];
    const failed = [...asked].find(([, { failure }]) => failure !== null);
    return {
      targets,
      trouble: failed === undefined ? null : troubleOf(failed[0], failed[1].failure),
      isNothing: all.every(({ isNothing }) => isNothing),
      isDoubted: all.some(({ isDoubted }) => isDoubted),
    };
  }

  function keep(records: readonly ServiceRecord[]): void {
    const named = new Set(records.map(({ name }) => name));
    for (const name of hosts.keys()) if (!named.has(name)) hosts.delete(name);
  }

  return { resolve, keep, anyDue: () => [...hosts.values()].some(isDue) };
}

function serviceLookup({ name, scheme }: DnsSource, deps: DnsHostDeps): DnsLookup {
  const belief = createBelief<ServiceRecord>();
  const hosts = createHosts(deps);
  let failures = 0;
  let last: DnsRound | null = null;

  // The runtime does not tell the TTL of SRV records, but keeps them for it: asking again costs no message.
  function dueAt(): number {
    return deps.now() + (failures === 0 ? keptMs(0, deps.random) : retryMs(failures, deps.random));
  }

  // Most rounds find what the runtime kept, each second; they should cost next to nothing.
  function unchanged(answer: DnsAnswer<ServiceRecord>): DnsRound | null {
    if (last === null || last.trouble !== null || answer.state !== "found" || hosts.anyDue()) return null;
    return Bun.deepEquals(answer.records, belief.records) ? { ...last, dueAt: dueAt() } : null;
  }

  async function bestOf(client: DnsClient): Promise<Group> {
    let best = NO_GROUP;
    for (const group of byPriority(belief.records)) {
      best = orNext(best, await hosts.resolve(group, client));
      if (best.targets.length > 0) break;
    }
    return best;
  }

  async function judged(answer: DnsAnswer<ServiceRecord>, client: DnsClient): Promise<DnsRound> {
    belief.take(answer);
    hosts.keep(belief.records);
    const best = await bestOf(client);
    failures = belief.failure === null ? 0 : failures + 1;
    return {
      endpoints: endpointsOf(best.targets, scheme),
      trouble: troubleOf(name, belief.failure) ?? best.trouble,
      isNothing: belief.records.length === 0 ? belief.isNothing : best.isNothing,
      isDoubted: belief.isDoubted || best.isDoubted,
      dueAt: dueAt(),
    };
  }

  return {
    async round(client) {
      const answer = await client.services(name);
      last = unchanged(answer) ?? (await judged(answer, client));
      return last;
    },
  };
}

/** The lookup that a source asks for; with a client that forgets what it keeps in time for the ceiling. */
export function createDnsLookup(source: DnsSource, deps: DnsHostDeps): DnsLookup {
  const lookup = source.port === null ? serviceLookup(source, deps) : hostLookup(source, source.port, deps);
  let renewedAt = deps.now();
  let isDoubted = false;
  return {
    async round(client) {
      // A "nothing" that is kept must not count as said again.
      if (isDoubted || deps.now() - renewedAt >= CEILING_MS) {
        client.renew();
        renewedAt = deps.now();
      }
      const round = await lookup.round(client);
      ({ isDoubted } = round);
      return round;
    },
  };
}
