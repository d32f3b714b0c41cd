import { describe, expect, test } from "bun:test";
import { Resolver } from "node:dns/promises";
import { type DnsRecord, type DnsReply, type DnsServer, startDnsServer } from "../support/dns-server.ts";

// What src/registry/dns-*.ts leans on in the runtime's resolver; a new runtime may change it.

const A = (address: string, ttl = 0): DnsRecord => ({ type: "A", address, ttl });
const SRV = (target: string, port: number, ttl = 0): DnsRecord => ({ type: "SRV", target, port, ttl });

function ask(server: DnsServer, options = { timeout: 1000, tries: 2 }): Resolver {
  const resolver = new Resolver(options);
  resolver.setServers([server.address]);
  return resolver;
}

async function within(records: Readonly<Record<string, DnsReply>>, run: (server: DnsServer) => Promise<void>) {
  const server = await startDnsServer(records);
  try {
    await run(server);
  } finally {
    server.close();
  }
}

async function codeOf(asking: Promise<unknown>): Promise<unknown> {
  try {
    return await asking;
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

describe("the runtime's resolver", () => {
  test("gives addresses of both families with their TTL", () =>
    within(
      { a: [A("127.0.0.2", 7), A("127.0.0.3", 9), { type: "AAAA", address: "fd00::7", ttl: 5 }] },
      async (server) => {
        const resolver = ask(server);
        expect(await resolver.resolve4("a", { ttl: true })).toEqual([
          { address: "127.0.0.2", ttl: 7 },
          { address: "127.0.0.3", ttl: 9 },
        ]);
        expect(await resolver.resolve6("a", { ttl: true })).toEqual([{ address: "fd00::7", ttl: 5 }]);
      },
    ));

  test("gives SRV records without their TTL", () =>
    within({ s: [SRV("one.internal", 81, 60)] }, async (server) => {
      expect(await ask(server).resolveSrv("s")).toEqual([{ priority: 0, weight: 1, port: 81, name: "one.internal" }]);
    }));

  test("keeps an answer within one resolver for its TTL, SRV too, and none with a TTL of 0", () =>
    within({ kept: [SRV("one.internal", 81, 60)], fresh: [SRV("one.internal", 81, 0)] }, async (server) => {
      const resolver = ask(server);
      for (const name of ["kept", "kept", "fresh", "fresh"]) await resolver.resolveSrv(name);
      expect(server.questions).toEqual(["SRV kept", "SRV fresh", "SRV fresh"]);
      await ask(server).resolveSrv("kept");
      expect(server.questions).toHaveLength(4);
    }));

  test("gives one code for a name that is not there and for one without such records", () =>
    within({ bare: [A("127.0.0.2")] }, async (server) => {
      expect(await codeOf(ask(server).resolve4("absent"))).toBe("ENOTFOUND");
      expect(await codeOf(ask(server).resolve6("bare"))).toBe("ENOTFOUND");
      expect(await codeOf(ask(server).resolveSrv("absent"))).toBe("ENOTFOUND");
    }));

  test("tells a failing server from a silent one, and can be called off", () =>
    within({ fails: "servfail", mute: "silence" }, async (server) => {
      expect(await codeOf(ask(server).resolve4("fails"))).toBe("ESERVFAIL");
      expect(await codeOf(ask(server, { timeout: 1000, tries: 1 }).resolve4("mute"))).toBe("ETIMEOUT");
      const resolver = ask(server);
      const asking = codeOf(resolver.resolve4("mute"));
      resolver.cancel();
      expect(await asking).toBe("ECANCELLED");
    }));

  test("asks again over TCP when the answer does not fit into a datagram", () => {
    const many = Array.from({ length: 60 }, (_, i) => SRV(`host-${i}.internal`, 8000 + i));
    return within({ many }, async (server) => {
      expect(await ask(server).resolveSrv("many")).toHaveLength(60);
      expect(server.questions).toEqual(["SRV many", "tcp SRV many"]);
    });
  });
});
