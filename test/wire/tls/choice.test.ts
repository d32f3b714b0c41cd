import { describe, expect, test } from "bun:test";
import { get } from "../../support/forward.ts";
import { sClient } from "../../support/openssl.ts";
import { connectTls, type TlsClientOptions } from "../../support/tls-client.ts";
import { certificateFor, entry, serve, tlsFacts } from "./support.ts";

/** Names of the certificate that a client gets, or what went wrong. */
async function namesFor(port: number, options: TlsClientOptions): Promise<string> {
  try {
    using client = await connectTls({ port }, options);
    return client.certificate.subjectAltName ?? "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The key's type of the certificate that a client gets. */
async function keyFor(port: number, options: Omit<TlsClientOptions, "name">) {
  using client = await connectTls({ port }, { name: "a.test", ...options });
  return client.certificate.publicKey.asymmetricKeyType;
}

async function statusOf(port: number, options: TlsClientOptions): Promise<string> {
  using client = await connectTls({ port }, options);
  await client.raw.send(get());
  return (await client.raw.response()).body.toString();
}

describe("a certificate", () => {
  const names = [["first.test"], ["a.test", "*.b.test"], ["c.b.test"]];
  const certificates = names.map((all) => certificateFor({ names: all }));

  test("is chosen by the name that is asked for: its own, then a wildcard of one label, then the first", async () => {
    using server = serve([entry({ tls: tlsFacts([], { certificates }) })]);
    const asked = ["a.test", "A.TEST", "x.b.test", "c.b.test"];
    expect(await Promise.all(asked.map((name) => namesFor(server.port, { name })))).toEqual([
      "DNS:a.test, DNS:*.b.test",
      "DNS:a.test, DNS:*.b.test",
      "DNS:a.test, DNS:*.b.test",
      "DNS:c.b.test",
    ]);
    using nameless = await connectTls({ port: server.port }, { name: null });
    expect(nameless.certificate.subjectAltName).toBe("DNS:first.test");
    // The client refuses what is not for its name, and says what it got.
    for (const name of ["b.test", "x.y.b.test", "other.test"]) {
      expect(await namesFor(server.port, { name })).toContain("altnames: DNS:first.test");
    }
  });

  test("is not chosen for a name that it is not for where names are strict", async () => {
    using server = serve([entry({ tls: tlsFacts([], { certificates, isStrictSni: true }) })]);
    expect(await namesFor(server.port, { name: "x.b.test" })).toBe("DNS:a.test, DNS:*.b.test");
    for (const name of ["other.test", "b.test", null]) {
      expect(await namesFor(server.port, { name })).toContain("UNRECOGNIZED_NAME");
    }
    expect(server.events.filter((event) => event === "tls_unrecognized_name")).toHaveLength(3);
  });

  test("has the key that the client takes: ECDSA where it can", async () => {
    const both = [certificateFor({ names: ["a.test"], keyType: "rsa" }), certificateFor({ names: ["a.test"] })];
    using server = serve([entry({ tls: tlsFacts([], { certificates: both }) })]);
    const rsa = "rsa_pss_rsae_sha256:RSA+SHA256";
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      expect(await keyFor(server.port, { version })).toBe("ec");
      expect(await keyFor(server.port, { version, signatures: rsa })).toBe("rsa");
    }
    using nameless = await connectTls({ port: server.port }, { name: null, signatures: rsa });
    expect(nameless.certificate.publicKey.asymmetricKeyType).toBe("rsa");
  });

  test("may have an Ed25519 key", async () => {
    const certificates = [certificateFor({ names: ["a.test"], keyType: "ed25519" })];
    using server = serve([entry({ tls: tlsFacts([], { certificates }) })]);
    expect(await sClient(server.port, "-servername", "a.test")).toContain("Peer signature type: ed25519");
  });
});

describe("listeners on one socket", () => {
  const shared = () =>
    serve([
      entry({ name: "exact", hostnames: ["a.test"], tls: tlsFacts(["a.test"]) }),
      entry({ name: "wild", hostnames: ["*.a.test"], tls: tlsFacts(["*.a.test", "x.y.a.test"]) }),
      entry({ name: "deep", hostnames: ["*.y.a.test"], tls: tlsFacts(["*.y.a.test"]) }),
      entry({ name: "rest", tls: tlsFacts(["rest.test"]) }),
    ]);

  test("are told apart by the name that is asked for: exact, then the longest wildcard, then who has no hostnames", async () => {
    using server = shared();
    const found: Record<string, string> = {};
    for (const name of ["a.test", "b.a.test", "x.y.a.test", "rest.test"]) {
      found[name] = await statusOf(server.port, { name });
    }
    expect(found).toEqual({ "a.test": "exact", "b.a.test": "wild", "x.y.a.test": "deep", "rest.test": "rest" });
    expect(await statusOf(server.port, { name: null })).toBe("rest");
  });

  test("turn a client away that asks for a name of none of them", async () => {
    using server = serve([
      entry({ name: "strict", hostnames: ["a.test"], tls: tlsFacts(["a.test"], { isStrictSni: true }) }),
      entry({ name: "open", hostnames: ["b.test"], tls: tlsFacts(["b.test"]) }),
    ]);
    expect(await namesFor(server.port, { name: "c.test" })).toContain("UNRECOGNIZED_NAME");
    // Who names none comes to the first that is not strict.
    expect(await statusOf(server.port, { name: null })).toBe("open");
    expect(server.events).toContain("tls_unrecognized_name");
  });

  test("pass TLS on unopened where one of them does so", async () => {
    using server = serve([
      entry({ name: "own", hostnames: ["a.test"], tls: tlsFacts(["a.test"]) }),
      entry({ name: "passed", protocol: "tls_passthrough", hostnames: ["b.test"] }),
    ]);
    expect(await statusOf(server.port, { name: "a.test" })).toBe("own");
    expect(await namesFor(server.port, { name: "b.test" })).toContain("UNRECOGNIZED_NAME");
    expect(server.events).toContain("passage tls b.test");
  });
});

describe("what is agreed on", () => {
  test("is HTTP/2 where both can, HTTP/1.1 otherwise, and nothing where the client offers nothing", async () => {
    using server = serve([entry({ tls: tlsFacts(["a.test"]), hasHttp2: true })]);
    using older = serve([entry({ tls: tlsFacts(["a.test"]) })]);
    const alpnOf = async (port: number, alpn: readonly string[]) => {
      using client = await connectTls({ port }, { name: "a.test", alpn });
      return client.alpn;
    };
    expect([
      await alpnOf(server.port, ["h2", "http/1.1"]),
      await alpnOf(server.port, ["http/1.1"]),
      await alpnOf(server.port, []),
      await alpnOf(older.port, ["h2", "http/1.1"]),
    ]).toEqual(["h2", "http/1.1", null, "http/1.1"]);
    expect(await namesFor(older.port, { name: "a.test", alpn: ["h2"] })).toContain("NO_APPLICATION_PROTOCOL");
    expect(older.handshakes.at(-1)).toEqual({ listener: "https", version: null, result: "protocol" });
  });

  test("is no version below the lowest allowed", async () => {
    using server = serve([entry({ tls: tlsFacts(["a.test"], { minVersion: "TLSv1.3" }) })]);
    using client = await connectTls({ port: server.port }, { name: "a.test" });
    expect(client.version).toBe("TLSv1.3");
    expect(await namesFor(server.port, { name: "a.test", version: "TLSv1.2" })).toContain("PROTOCOL_VERSION");
  });

  test("is one of the ciphers that are allowed, which by default all keep what was said secret for good", async () => {
    using server = serve([entry({ tls: tlsFacts(["a.test"]) })]);
    using narrow = serve([entry({ tls: tlsFacts(["a.test"], { ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305" }) })]);
    const cipherFor = async (port: number, ciphers: string) => {
      const said = await sClient(port, "-servername", "a.test", "-tls1_2", "-cipher", ciphers);
      return /Cipher is (\S+)/.exec(said)?.[1];
    };
    const none = "(NONE)";
    expect(await cipherFor(server.port, "ALL")).toMatch(/^ECDHE-ECDSA-.*(?:GCM|POLY)/);
    expect(await cipherFor(server.port, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA")).toBe(none);
    expect(await cipherFor(narrow.port, "ECDHE-ECDSA-AES128-GCM-SHA256")).toBe(none);
    expect(await cipherFor(narrow.port, "ALL")).toBe("ECDHE-ECDSA-CHACHA20-POLY1305");
    // The server's order counts.
    const [later, first] = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    expect(await cipherFor(server.port, `${later}:${first}`)).toBe(first);
    expect(await cipherFor(server.port, `${first}:${later}`)).toBe(first);
  });
});
