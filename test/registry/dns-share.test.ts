import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createDnsRegistry } from "../../src/registry/dns.ts";
import { createDnsShare, createTurns } from "../../src/registry/dns-share.ts";
import { startDnsServer } from "../support/dns-server.ts";
import { follow } from "./contract.ts";

setDefaultTimeout(15_000);

describe("turns with a DNS server", () => {
  test("are so many at once, in order, and go on after one that fails", async () => {
    const turn = createTurns(2);
    const begun: number[] = [];
    const works = Array.from({ length: 4 }, () => Promise.withResolvers<number>());
    const results = works.map(({ promise }, index) =>
      turn(() => {
        begun.push(index);
        return promise;
      }),
    );
    const outcomes = Promise.allSettled(results);
    expect(begun).toEqual([0, 1]);
    works[1]?.reject(new Error("lost"));
    await results[1]?.catch(() => {});
    expect(begun).toEqual([0, 1, 2]);
    works[0]?.resolve(0);
    works[2]?.resolve(2);
    works[3]?.resolve(3);
    expect((await outcomes).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(await turn(async () => 5)).toBe(5);
  });

  test("are counted for each server of its own", () => {
    const share = createDnsShare();
    expect(share.turnsOf("127.0.0.1:53")).toBe(share.turnsOf("127.0.0.1:53"));
    expect(share.turnsOf("127.0.0.1:53")).not.toBe(share.turnsOf(null));
  });
});

describe("a watch while the DNS server is silent", () => {
  const silentHosts = {
    catalog: [1, 2].map((priority) => ({ type: "SRV" as const, target: `host-${priority}`, port: 80, priority })),
    "host-1": "silence",
    "host-2": "silence",
  } as const;

  test("has a first set before the round of questions is over", async () => {
    const server = await startDnsServer(silentHosts);
    const failures: unknown[] = [];
    const source = { name: "catalog", port: null, resolver: server.address, scheme: "http" } as const;
    const registry = createDnsRegistry(
      { catalog: source },
      { random: Math.random, onFailure: (trouble) => void failures.push(trouble) },
    );
    const watch = follow(registry, "catalog");
    expect(await watch.next()).toEqual([]);
    expect(failures).toEqual([]);
    watch.end();
    server.close();
  });

  test("ends at once when it is aborted", async () => {
    const server = await startDnsServer(silentHosts);
    const source = { name: "catalog", port: null, resolver: server.address, scheme: "http" } as const;
    const watch = follow(createDnsRegistry({ catalog: source }, { random: Math.random }), "catalog");
    const first = watch.raw();
    watch.end();
    const late = Bun.sleep(1000).then(() => "late");
    expect(await Promise.race([first, late])).toMatchObject({ done: true });
    server.close();
  });
});
