import { describe, expect, test } from "bun:test";
import { createDnsRegistry, type DnsState } from "../../src/registry/dns.ts";
import type { DnsSource } from "../../src/registry/dns-source.ts";
import type { EndpointSpec, Registry } from "../../src/registry/registry.ts";
import { type DnsRecord, type DnsReply, type DnsServer, startDnsServer } from "../support/dns-server.ts";
import { changingRegistryContract, follow, idsOf, type RegistryWorld, registryContract } from "./contract.ts";

const A = (address: string, ttl = 0): DnsRecord => ({ type: "A", address, ttl });
const AAAA = (address: string, ttl = 0): DnsRecord => ({ type: "AAAA", address, ttl });

function sourceOf(server: DnsServer, changes: Partial<DnsSource> = {}): DnsSource {
  return { name: "catalog.internal", port: 8080, resolver: server.address, scheme: "http", ...changes };
}
function srv(
  target: string,
  more: { port?: number; priority?: number; weight?: number; ttl?: number } = {},
): DnsRecord {
  return { type: "SRV", target, port: 80, ...more };
}

/** A world of SRV records, with a host for each endpoint; ids stand for addresses, and time runs fast. */
async function contractWorld(catalog: readonly EndpointSpec[]): Promise<RegistryWorld> {
  const server = await startDnsServer();
  const addresses = new Map<string, string>();
  const names = new Map<string, string>();

  function tells({ id, url, weight }: EndpointSpec): EndpointSpec {
    const address = addresses.get(id) ?? `127.0.1.${addresses.size + 1}`;
    addresses.set(id, address);
    const authority = `${address}:${new URL(url).port}`;
    names.set(authority, id);
    return { id, url: `http://${authority}`, weight: catalog.length > 1 ? Math.max(weight * 10, 1) : weight };
  }

  function change(service: string, endpoints: readonly EndpointSpec[]): void {
    const records = endpoints.map((endpoint) => {
      const { port, hostname } = new URL(tells(endpoint).url);
      server.set(`${endpoint.id}.internal`, [A(hostname)]);
      return srv(`${endpoint.id}.internal`, { port: Number(port), weight: endpoint.weight });
    });
    server.set(`_http._tcp.${service}`, records.length === 0 ? "nxdomain" : records);
  }

  const source = (service: string) => sourceOf(server, { name: `_http._tcp.${service}`, port: null });
  const inner = createDnsRegistry(
    { catalog: source("catalog"), other: source("other") },
    {
      random: () => 0,
      after: (_, run) => {
        const timer = setTimeout(run, 2);
        return () => clearTimeout(timer);
      },
    },
  );
  const registry: Registry = {
    async *watch(service, signal) {
      for await (const set of inner.watch(service, signal)) {
        const named = set.map((endpoint) => ({ ...endpoint, id: names.get(endpoint.id) ?? endpoint.id }));
        yield Object.isFrozen(set) ? Object.freeze(named) : named;
      }
    },
  };
  change("catalog", catalog);
  return { registry, change, tells, close: server.close };
}

registryContract("dns", contractWorld);
changingRegistryContract("dns", () => contractWorld([]));

interface Watched {
  readonly server: DnsServer;
  /** Every set so far, as ids. */
  readonly sets: () => readonly (readonly string[])[];
  readonly last: () => readonly EndpointSpec[];
  readonly told: readonly string[];
  readonly failures: readonly string[];
  /** Lets time pass until the next round, and gives the delay after it when it is done. */
  readonly round: () => Promise<number>;
  /** The first set of another watch of the same registry. */
  readonly another: () => Promise<readonly string[]>;
}

/** Follows one source on a clock that is moved; ready when the first round is done. */
async function watching(
  records: Readonly<Record<string, DnsReply>>,
  changes: Partial<DnsSource>,
  run: (watched: Watched, firstDelayMs: number) => Promise<void>,
): Promise<void> {
  const server = await startDnsServer(records);
  const abort = new AbortController();
  const sets: (readonly EndpointSpec[])[] = [];
  const told: string[] = [];
  const failures: string[] = [];
  let now = 0;
  let armed = Promise.withResolvers<{ readonly delayMs: number; readonly run: () => void }>();
  const registry = createDnsRegistry(
    { catalog: sourceOf(server, changes) },
    {
      random: () => 0.5,
      now: () => now,
      after: (delayMs, run) => {
        armed.resolve({ delayMs, run });
        return () => {};
      },
      onFailure: ({ name, reason }) => void failures.push(`${name} ${reason}`),
      onState: (service, state: DnsState, trouble) =>
        void told.push(`${service} ${state}${trouble === null ? "" : ` ${trouble.name} ${trouble.reason}`}`),
    },
  );
  const following = (async () => {
    for await (const set of registry.watch("catalog", abort.signal)) sets.push(set);
  })();
  const round = async (): Promise<number> => {
    const pending = await armed.promise;
    armed = Promise.withResolvers();
    now += pending.delayMs;
    pending.run();
    return (await armed.promise).delayMs;
  };
  try {
    const { delayMs } = await armed.promise;
    await run(
      {
        server,
        sets: () => sets.map(idsOf),
        last: () => sets.at(-1) ?? [],
        told,
        failures,
        round,
        another: async () => {
          const watch = follow(registry, "catalog");
          const ids = await watch.next();
          watch.end();
          return ids;
        },
      },
      delayMs,
    );
  } finally {
    abort.abort();
    await following;
    server.close();
  }
}

const HOST = "catalog.internal";

describe("addresses from DNS", () => {
  test("are endpoints at the port, of both families, each once and in a fixed order", () =>
    watching({ [HOST]: [A("127.0.0.3"), A("127.0.0.2"), A("127.0.0.3"), AAAA("fd00::1")] }, {}, async ({ last }) => {
      expect(last()).toEqual([
        { id: "127.0.0.2:8080", url: "http://127.0.0.2:8080", weight: 1 },
        { id: "127.0.0.3:8080", url: "http://127.0.0.3:8080", weight: 1 },
        { id: "[fd00::1]:8080", url: "http://[fd00::1]:8080", weight: 1 },
      ]);
    }));

  test("get the scheme that is asked for", () =>
    watching({ [HOST]: [A("127.0.0.2")] }, { scheme: "https", port: 8443 }, async ({ last }) => {
      expect(last().map(({ url }) => url)).toEqual(["https://127.0.0.2:8443"]);
    }));

  test.each([
    ["the shortest TTL, and a little later", [A("127.0.0.2", 60), A("127.0.0.3", 20)], 21_000],
    ["a second where the TTL is 0", [A("127.0.0.2", 0)], 1050],
    ["five minutes where the TTL is a day", [A("127.0.0.2", 86_400)], 315_000],
  ])("are asked for again after %s", (_, records, delayMs) =>
    watching({ [HOST]: records }, {}, async (_watched, firstDelayMs) => {
      expect(firstDelayMs).toBe(delayMs);
    }),
  );

  test("are asked for on the wire after five minutes, however long their TTL is", () =>
    watching({ [HOST]: [A("127.0.0.2", 86_400)] }, {}, async ({ server, sets, round }) => {
      server.set(HOST, [A("127.0.0.9", 86_400)]);
      await round();
      expect(sets()).toEqual([["127.0.0.2:8080"], ["127.0.0.9:8080"]]);
    }));

  test("that only changed places are no change", () =>
    watching({ [HOST]: [A("127.0.0.2"), A("127.0.0.3")] }, {}, async ({ server, sets, round }) => {
      server.set(HOST, [A("127.0.0.3"), A("127.0.0.2")]);
      await round();
      expect(sets()).toHaveLength(1);
    }));

  test("stay when the server fails, which is told once, and change again when it answers", () =>
    watching({ [HOST]: [A("127.0.0.2")] }, {}, async ({ server, sets, told, failures, round }) => {
      server.set(HOST, "servfail");
      const delays = [await round(), await round(), await round(), await round(), await round()];
      expect(delays).toEqual([1050, 2100, 4200, 5250, 5250]);
      expect(sets()).toEqual([["127.0.0.2:8080"]]);
      expect(failures).toEqual(Array(5).fill(`${HOST} servfail`));
      server.set(HOST, [A("127.0.0.3")]);
      expect(await round()).toBe(1050);
      expect(sets().at(-1)).toEqual(["127.0.0.3:8080"]);
      expect(told).toEqual([`catalog failing ${HOST} servfail`, "catalog answering"]);
    }));

  test("stay when the server is silent", () =>
    watching({ [HOST]: [A("127.0.0.2")] }, {}, async ({ server, sets, failures, round }) => {
      server.set(HOST, "silence");
      await round();
      expect(sets()).toEqual([["127.0.0.2:8080"]]);
      expect(failures).toEqual([`${HOST} timeout`]);
    }));

  test("that another watch knew are there for one that begins while the server fails", () =>
    watching({ [HOST]: [A("127.0.0.2")] }, {}, async ({ server, another, round }) => {
      server.set(HOST, "servfail");
      await round();
      expect(await another()).toEqual(["127.0.0.2:8080"]);
    }));

  test("are the empty set when the server fails from the start", () =>
    watching({ [HOST]: "servfail" }, {}, async ({ server, sets, told, round }) => {
      expect(sets()).toEqual([[]]);
      expect(told).toEqual([`catalog failing ${HOST} servfail`]);
      server.set(HOST, [A("127.0.0.2")]);
      await round();
      expect(sets()).toEqual([[], ["127.0.0.2:8080"]]);
    }));

  test.each<readonly [string, DnsReply]>([
    ["does not exist", "nxdomain"],
    ["has no address", []],
  ])("are given up when the name %s three times in a row, not before", (_, nothing) =>
    watching({ [HOST]: [A("127.0.0.2")] }, {}, async ({ server, sets, told, round }) => {
      server.set(HOST, nothing);
      await round();
      await round();
      expect(sets()).toEqual([["127.0.0.2:8080"]]);
      await round();
      expect(sets()).toEqual([["127.0.0.2:8080"], []]);
      expect(told).toEqual([`catalog failing ${HOST} not_found`, `catalog emptied ${HOST} not_found`]);
    }),
  );

  test("are not given up when an answer comes between two that say there is nothing", () =>
    watching({ [HOST]: [A("127.0.0.2")] }, {}, async ({ server, sets, round }) => {
      for (let i = 0; i < 3; i++) {
        server.set(HOST, "nxdomain");
        await round();
        await round();
        server.set(HOST, [A("127.0.0.2")]);
        await round();
      }
      expect(sets()).toEqual([["127.0.0.2:8080"]]);
    }));

  test("of a family that fails stay while the other one changes", () =>
    watching({ [HOST]: [A("127.0.0.2"), AAAA("fd00::1")] }, {}, async ({ server, sets, told, round }) => {
      server.set(HOST, [A("127.0.0.3")]);
      server.setType("AAAA", HOST, "servfail");
      await round();
      expect(sets().at(-1)).toEqual(["127.0.0.3:8080", "[fd00::1]:8080"]);
      expect(told).toEqual([`catalog failing ${HOST} servfail`]);
      server.setType("AAAA", HOST, []);
      await round();
      expect(sets().at(-1)).toEqual(["127.0.0.3:8080"]);
    }));
});

const NAME = "_http._tcp.catalog.internal";
const BY_SRV = { name: NAME, port: null };

describe("services from DNS", () => {
  test("have the port and the weight of their record, at every address of its host", () =>
    watching(
      {
        [NAME]: [srv("one.internal", { port: 81, weight: 3 }), srv("two.internal", { port: 82, weight: 5 })],
        "one.internal": [A("127.0.0.2"), AAAA("fd00::1")],
        "two.internal": [A("127.0.0.3")],
      },
      BY_SRV,
      async ({ last }) => {
        expect(last().map(({ id, weight }) => [id, weight])).toEqual([
          ["127.0.0.2:81", 3],
          ["127.0.0.3:82", 5],
          ["[fd00::1]:81", 3],
        ]);
      },
    ));

  test("with a weight of 0 get equal shares among themselves, a small one beside others", () =>
    watching(
      {
        [NAME]: [srv("a.internal", { weight: 0 }), srv("b.internal", { weight: 0 })],
        "a.internal": [A("127.0.0.2")],
        "b.internal": [A("127.0.0.3")],
      },
      BY_SRV,
      async ({ server, last, round }) => {
        expect(last().map(({ weight }) => weight)).toEqual([1, 1]);
        server.set(NAME, [srv("a.internal", { weight: 0 }), srv("b.internal", { weight: 4 })]);
        await round();
        expect(last().map(({ weight }) => weight)).toEqual([1, 40]);
      },
    ));

  test("are those of the best priority that has a host with an address", () =>
    watching(
      {
        [NAME]: [
          srv("spare.internal", { priority: 2 }),
          srv("first.internal", { priority: 0 }),
          srv("gone.internal", { priority: 0 }),
        ],
        "first.internal": [A("127.0.0.2")],
        "spare.internal": [A("127.0.0.9")],
      },
      BY_SRV,
      async ({ server, sets, round }) => {
        expect(sets()).toEqual([["127.0.0.2:80"]]);
        expect(server.questions).not.toContain("A spare.internal");
        server.set("first.internal", "nxdomain");
        for (let i = 0; i < 8; i++) await round();
        expect(sets()).toEqual([["127.0.0.2:80"], ["127.0.0.9:80"]]);
      },
    ));

  test("stay when the records or a host cannot be had", () =>
    watching({ [NAME]: [srv("one.internal")], "one.internal": [A("127.0.0.2")] }, BY_SRV, async (watched) => {
      const { server, sets, told, round } = watched;
      server.set("one.internal", "servfail");
      await round();
      server.set(NAME, "servfail");
      await round();
      expect(sets()).toEqual([["127.0.0.2:80"]]);
      expect(told).toEqual(["catalog failing one.internal servfail"]);
    }));

  test("are given up at once when the record says that there is no such service", () =>
    watching({ [NAME]: [srv("one.internal")], "one.internal": [A("127.0.0.2")] }, BY_SRV, async (watched) => {
      const { server, sets, told, round } = watched;
      server.set(NAME, [srv(".")]);
      await round();
      expect(sets()).toEqual([["127.0.0.2:80"], []]);
      expect(told).toEqual(["catalog emptied"]);
    }));

  test("are asked for on the wire as often as their TTL says, though each second here", () =>
    watching(
      { [NAME]: [srv("one.internal", { ttl: 60 })], "one.internal": [A("127.0.0.2", 60)] },
      BY_SRV,
      async ({ server, round }, firstDelayMs) => {
        expect(firstDelayMs).toBe(1050);
        for (let i = 0; i < 10; i++) await round();
        expect(server.questions.filter((question) => question === `SRV ${NAME}`)).toHaveLength(1);
        expect(server.questions.filter((question) => question === "A one.internal")).toHaveLength(1);
      },
    ));

  test("come whole when there are more than fit into a datagram", () => {
    const hosts = Array.from({ length: 60 }, (_, i) => `host-${i}.internal`);
    const zone = Object.fromEntries(hosts.map((host, i) => [host, [A(`127.0.2.${i + 1}`)]]));
    return watching({ ...zone, [NAME]: hosts.map((host) => srv(host)) }, BY_SRV, async ({ last }) => {
      expect(last()).toHaveLength(60);
    });
  });
});
