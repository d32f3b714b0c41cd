import { Resolver } from "node:dns/promises";
import type { Turn } from "./dns-share.ts";
import type { DnsAnswer } from "./dns-source.ts";

/** An address and for how long it may be kept. */
export interface AddressRecord {
  readonly address: string;
  readonly ttl: number;
}

export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** Name of the host. */
  readonly name: string;
}

/** Asks DNS. Never rejects; an answer comes within about three seconds of its turn. Answers are kept as long as their TTL says. */
export interface DnsClient {
  ipv4(name: string): Promise<DnsAnswer<AddressRecord>>;
  ipv6(name: string): Promise<DnsAnswer<AddressRecord>>;
  services(name: string): Promise<DnsAnswer<ServiceRecord>>;
  /** Forgets every kept answer, and reads the system's servers anew. */
  renew(): void;
  /** Ends what is under way as failed, and all that is asked later. */
  cancel(): void;
}

// The runtime waits for whole seconds: one for the first try, two for the second.
const PATIENCE = { timeout: 1000, tries: 2 };
// The runtime gives the first for a name without such records too.
const NOTHING: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "EUNKNOWN";
}

async function answerOf<T>(asking: Promise<readonly T[]>): Promise<DnsAnswer<T>> {
  try {
    const records = await asking;
    return records.length === 0 ? { state: "none" } : { state: "found", records };
  } catch (error) {
    const code = codeOf(error);
    return NOTHING.has(code) ? { state: "none" } : { state: "failed", reason: code.replace(/^E/, "").toLowerCase() };
  }
}

interface Told {
  readonly address: string;
  readonly ttl?: number;
}

/** Of some hundreds of addresses the runtime tells no more TTLs. All records of a name and a type have one (RFC 2181 5.2). */
function withTtls(records: readonly Told[]): readonly AddressRecord[] {
  const told = records.flatMap(({ ttl }) => (ttl === undefined ? [] : [ttl]));
  const least = told.reduce((one, other) => Math.min(one, other), told[0] ?? 0);
  return records.map(({ address, ttl = least }) => ({ address, ttl }));
}

function openResolver(server: string | null): Resolver {
  const resolver = new Resolver(PATIENCE);
  if (server !== null) resolver.setServers([server]);
  return resolver;
}

/**
 * A client of one server, `address:port`, or of the system's, that waits for its turns with it. Throws a TypeError for a
 * server that is no address.
 */
export function createDnsClient(server: string | null, turn: Turn): DnsClient {
  let resolver = openResolver(server);
  let isCancelled = false;

  function ask<T>(question: () => Promise<readonly T[]>): Promise<DnsAnswer<T>> {
    return turn(async () => (isCancelled ? { state: "failed", reason: "cancelled" } : answerOf(question())));
  }

  return {
    ipv4: (name) => ask(async () => withTtls(await resolver.resolve4(name, { ttl: true }))),
    ipv6: (name) => ask(async () => withTtls(await resolver.resolve6(name, { ttl: true }))),
    services: (name) => ask(() => resolver.resolveSrv(name)),
    renew: () => {
      resolver = openResolver(server);
    },
    cancel: () => {
      isCancelled = true;
      resolver.cancel();
    },
  };
}
