import { type Belief, createBelief } from "./dns-belief.ts";
import type { AddressRecord, DnsClient } from "./dns-client.ts";
import { keptMs, retryMs } from "./dns-pace.ts";
import type { DnsAnswer, DnsFailure } from "./dns-source.ts";

/** One host and its addresses of both families. */
export interface DnsHost {
  /** As last known, sorted. */
  readonly addresses: readonly string[];
  readonly failure: DnsFailure | null;
  readonly isNothing: boolean;
  readonly isDoubted: boolean;
  /** When the next question is due. */
  readonly dueAt: number;
  /** Asks for both families. */
  ask(client: DnsClient): Promise<void>;
}

export interface DnsHostDeps {
  readonly now: () => number;
  readonly random: () => number;
}

type Families = readonly [DnsAnswer<AddressRecord>, DnsAnswer<AddressRecord>];

/** One family's part: a family that failed keeps what it had, as long as the other one answers. */
function partOf(answer: DnsAnswer<AddressRecord>, known: readonly AddressRecord[]): readonly AddressRecord[] {
  if (answer.state === "found") return answer.records;
  return answer.state === "none" ? [] : known;
}

/** Both families as one answer. With neither found, a failure weighs more than a "nothing": nobody knows. */
function joined(answers: Families, known: readonly (readonly AddressRecord[])[]): DnsAnswer<AddressRecord> {
  if (answers.some(({ state }) => state === "found")) {
    return { state: "found", records: answers.flatMap((answer, index) => partOf(answer, known[index] ?? [])) };
  }
  return answers.find(({ state }) => state === "failed") ?? { state: "none" };
}

function failureOf(answers: Families): DnsFailure | null {
  const failed = answers.find((answer) => answer.state === "failed");
  return failed?.state === "failed" ? failed.reason : null;
}

function shortestTtl({ records }: Belief<AddressRecord>): number {
  return records.reduce((least, { ttl }) => Math.min(least, ttl), Number.POSITIVE_INFINITY);
}

/** A host of which nothing is known and whose question is due. Addresses of one kind stay when the other is gone. */
export function createDnsHost(name: string, { now, random }: DnsHostDeps): DnsHost {
  const belief = createBelief<AddressRecord>();
  let addresses: readonly string[] = [];
  let halfFailure: DnsFailure | null = null;
  let failures = 0;
  let dueAt = Number.NEGATIVE_INFINITY;

  async function ask(client: DnsClient): Promise<void> {
    const answers: Families = await Promise.all([client.ipv4(name), client.ipv6(name)]);
    const isIpv6 = ({ address }: AddressRecord) => address.includes(":");
    const known = [belief.records.filter((record) => !isIpv6(record)), belief.records.filter(isIpv6)];
    belief.take(joined(answers, known));
    addresses = [...new Set(belief.records.map(({ address }) => address))].toSorted();
    halfFailure = failureOf(answers);
    failures = belief.failure === null ? 0 : failures + 1;
    dueAt = now() + (failures === 0 ? keptMs(shortestTtl(belief), random) : retryMs(failures, random));
  }

  return {
    get addresses() {
      return addresses;
    },
    get failure() {
      return belief.failure ?? halfFailure;
    },
    get isNothing() {
      return belief.isNothing;
    },
    get isDoubted() {
      return belief.isDoubted;
    },
    get dueAt() {
      return dueAt;
    },
    ask,
  };
}
