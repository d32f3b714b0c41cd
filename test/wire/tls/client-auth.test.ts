import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { createTlsPolicy } from "../../../src/wire/tls/policy.ts";
import type { ClientCertificate } from "../../../src/wire/tls/tls-info.ts";
import { authority, type TestCertificate } from "../../support/certificates.ts";
import { get } from "../../support/forward.ts";
import { eventually } from "../../support/load.ts";
import { connectTls, type TlsClient, type TlsClientOptions } from "../../support/tls-client.ts";
import { LIMITS } from "../h2/server.ts";
import { certificateFor, entry, serve, type TestListener, tlsFacts } from "./support.ts";

const ca = authority();
const shop = ca.issue({ usage: "client", commonName: "shop", otherNames: ["URI:spiffe://mesh.test/shop"] });
const bad: Readonly<Record<string, TestCertificate>> = {
  "of another authority": authority("Other CA").issue({ usage: "client", commonName: "shop" }),
  expired: ca.issue({ usage: "client", commonName: "late", days: -2 }),
  revoked: ca.issue({ usage: "client", commonName: "revoked" }),
  "for servers": ca.issue({ usage: "server", commonName: "server" }),
};
const crlPem = ca.revoke(bad["revoked"] ?? shop).pem;

function clientAuth(mode: "require" | "request", crl: string | null = crlPem) {
  return tlsFacts(["a.test"], { clientAuth: { mode, caPem: ca.cert, crlPem: crl } });
}

const DAY_MS = 86_400_000;
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

/** Asks once; the status, or "refused". */
async function ask(port: number, options: Partial<TlsClientOptions> = {}): Promise<number | "refused"> {
  try {
    using client = await connectTls({ port }, { name: "a.test", ...options });
    await client.raw.send(get());
    return (await client.raw.response()).status;
  } catch {
    return "refused";
  }
}

/** What the server made of a client's certificate. */
async function seen(server: TestListener, certificate?: TestCertificate): Promise<ClientCertificate | null> {
  expect(await ask(server.port, certificate === undefined ? {} : { certificate })).toBe(200);
  return server.exchanges.at(-1)?.client.tls?.certificate ?? null;
}

/** A client that has asked once, so that it has a session. */
async function asked(port: number, options: TlsClientOptions): Promise<TlsClient> {
  const client = await connectTls({ port }, options);
  await client.raw.send(get());
  await client.raw.response();
  return client;
}

describe("a listener that requires client certificates", () => {
  test("asks every list of a text, of several authorities and of those between", async () => {
    const other = authority("Other CA");
    const middle = ca.intermediate("Middle CA");
    const clients = [ca, other, middle].map((issuer) => ({
      good: issuer.issue({ usage: "client", commonName: "good" }),
      revoked: issuer.issue({ usage: "client", commonName: "taken back" }),
      issuer,
    }));
    const lists = clients.map(({ issuer, revoked }) => issuer.revoke(revoked).pem).join("");
    const caPem = ca.cert + other.cert + middle.cert;
    using server = serve([
      entry({ tls: tlsFacts(["a.test"], { clientAuth: { mode: "require", caPem, crlPem: lists } }) }),
    ]);
    for (const { good, revoked } of clients) {
      expect(await ask(server.port, { certificate: good })).toBe(200);
      expect(await ask(server.port, { certificate: revoked })).toBe("refused");
    }
  });

  test("serves who has a valid one, and knows who that is", async () => {
    using server = serve([entry({ tls: clientAuth("require") })]);
    for (const version of VERSIONS) expect(await ask(server.port, { version, certificate: shop })).toBe(200);
    expect(server.exchanges[0]?.client.tls).toMatchObject({
      version: "TLSv1.2",
      sni: "a.test",
      certificate: { isVerified: true, subject: "O=Torii,CN=shop", spiffeId: "spiffe://mesh.test/shop" },
    });
  });

  test("ends the handshake of everybody else: nothing of their requests is read", async () => {
    using server = serve([entry({ tls: clientAuth("require") })]);
    for (const version of VERSIONS) {
      expect(await ask(server.port, { version })).toBe("refused");
      for (const [what, certificate] of Object.entries(bad)) {
        expect([what, await ask(server.port, { version, certificate })]).toEqual([what, "refused"]);
      }
    }
    expect(server.exchanges).toHaveLength(0);
    await eventually(() => server.handshakes.length === 10, "all handshakes to end");
    expect(new Set(server.handshakes.map(({ result }) => result))).toEqual(new Set(["certificate"]));
    expect(await ask(server.port, { certificate: shop })).toBe(200);
  });
});

describe("a listener that requests client certificates", () => {
  test("serves everybody, and says whose certificate was verified", async () => {
    using server = serve([entry({ tls: clientAuth("request") })]);
    expect(await seen(server)).toBeNull();
    expect(await seen(server, shop)).toMatchObject({ isVerified: true, subject: "O=Torii,CN=shop" });
    for (const certificate of Object.values(bad)) {
      expect(await seen(server, certificate)).toMatchObject({ isVerified: false });
    }
  });
});

describe("a session", () => {
  afterEach(() => void setSystemTime());

  test("is resumed, but nobody is who he was once his certificate has run out", async () => {
    using requiring = serve([entry({ tls: clientAuth("require") })]);
    using requesting = serve([entry({ tls: clientAuth("request") })]);
    for (const version of VERSIONS) {
      const options = { name: "a.test", version, certificate: shop } as const;
      using required = await asked(requiring.port, options);
      using requested = await asked(requesting.port, options);
      // What the runtime checks goes by the system's own time: only our look at the date sees this.
      setSystemTime(Date.now() + 31 * DAY_MS);
      expect(await ask(requiring.port, { version, session: required.session() })).toBe("refused");
      using again = await asked(requesting.port, { name: "a.test", version, session: requested.session() });
      setSystemTime();
      expect(again.isResumed).toBe(true);
      expect(requesting.exchanges.at(-1)?.client.tls?.certificate).toMatchObject({
        isVerified: false,
        subject: "O=Torii,CN=shop",
      });
    }
    expect(requiring.handshakes.map(({ result }) => result)).toEqual(["full", "certificate", "full", "certificate"]);
  });

  test("is resumed under the same policy, and the client stays who it is", async () => {
    using server = serve([entry({ tls: clientAuth("require") })]);
    for (const version of VERSIONS) {
      using first = await asked(server.port, { name: "a.test", version, certificate: shop });
      using again = await asked(server.port, { name: "a.test", version, session: first.session() });
      expect([first.isResumed, again.isResumed]).toEqual([false, true]);
      expect(server.exchanges.at(-1)?.client.tls?.certificate?.subject).toBe("O=Torii,CN=shop");
    }
    expect(server.handshakes.map(({ result }) => result)).toEqual(["full", "resumed", "full", "resumed"]);
  });

  test("of one listener opens no other on the same socket", async () => {
    const names = ["a.test", "b.test"];
    using server = serve([
      entry({ name: "open", hostnames: ["b.test"], tls: tlsFacts(names) }),
      entry({
        name: "closed",
        hostnames: ["a.test"],
        tls: { ...clientAuth("require"), ...{ certificates: [certificateFor({ names })] } },
      }),
    ]);
    for (const version of VERSIONS) {
      using open = await asked(server.port, { name: "b.test", version });
      expect(await ask(server.port, { version, session: open.session() })).toBe("refused");
      using closed = await asked(server.port, { name: "a.test", version, certificate: shop });
      using other = await asked(server.port, { name: "b.test", version, session: closed.session() });
      expect(other.isResumed).toBe(false);
      expect(server.exchanges.at(-1)?.client.tls?.certificate).toBeNull();
    }
  });

  test("outlives an update that changes nothing of its certificate, and no change of who is let in", async () => {
    const facts = clientAuth("require", null);
    using server = serve([entry({ tls: facts })]);
    const settings = { limits: LIMITS, isTrusted: () => false };
    const previous = createTlsPolicy(facts, { hasHttp2: false });
    server.listener.update({ ...settings, entries: [{ ...entry({}), tls: previous }] });
    for (const version of VERSIONS) {
      using first = await asked(server.port, { name: "a.test", version, certificate: shop });
      const more = { ...facts, certificates: [...facts.certificates, certificateFor({ names: ["more.test"] })] };
      const same = createTlsPolicy(more, { hasHttp2: true, previous });
      server.listener.update({ ...settings, entries: [{ ...entry({}), tls: same }] });
      using again = await asked(server.port, { name: "a.test", version, session: first.session() });
      expect(again.isResumed).toBe(true);
      const revoking = {
        ...facts,
        clientAuth: { mode: "require", caPem: ca.cert, crlPem: ca.revoke(shop).pem },
      } as const;
      const next = createTlsPolicy(revoking, { hasHttp2: false, previous: same });
      server.listener.update({ ...settings, entries: [{ ...entry({}), tls: next }] });
      expect(await ask(server.port, { version, session: again.session(), certificate: shop })).toBe("refused");
      server.listener.update({ ...settings, entries: [{ ...entry({}), tls: previous }] });
    }
  });
});

describe("an update", () => {
  test("that lets other clients in ends open connections; one with another certificate leaves them", async () => {
    const facts = clientAuth("require");
    using server = serve([entry({ tls: facts })]);
    const settings = { limits: LIMITS, isTrusted: () => false };
    using kept = await asked(server.port, { name: "a.test", certificate: shop });
    const renewed = { ...facts, certificates: [certificateFor({ names: ["a.test", "new.test"] })] };
    server.listener.update({ ...settings, entries: [entry({ tls: renewed })] });
    await kept.raw.send(get());
    expect((await kept.raw.response()).status).toBe(200);
    using fresh = await connectTls({ port: server.port }, { name: "new.test", certificate: shop });
    expect(fresh.certificate.subjectAltName).toBe("DNS:a.test, DNS:new.test");
    server.listener.update({ ...settings, entries: [entry({ tls: clientAuth("require", null) })] });
    expect(await kept.raw.peer.ending()).toBe("ended");
  });
});
