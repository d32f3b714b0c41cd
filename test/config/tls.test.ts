import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fingerprintsOf } from "../../src/config/certificate-dates.ts";
import { LoadError } from "../../src/config/load-error.ts";
import { showConfig } from "../../src/config/show.ts";
import { type LoadOptions, loadConfig } from "../../src/config/source.ts";
import { CERTS, faults, inFolder, load, NOW_AT } from "./folder.ts";

const DAY_MS = 86_400_000;

/** A listener `https` with these certificates, as flow YAML. */
function listener(certificates: string, more = ""): string {
  return `listeners: [{ name: https, port: 8443, tls: { certificates: [${certificates}]${more} } }]\n`;
}

const pair = (name: string, key = name) => `{ cert: certs/${name}.pem, key: certs/${key}.key }`;

function loaded(torii: string, options: Partial<LoadOptions> = {}) {
  return load({ "torii.yaml": torii, ...CERTS }, { nowAt: NOW_AT, ...options });
}

async function warnings(torii: string, options: Partial<LoadOptions> = {}): Promise<readonly string[]> {
  return (await loaded(torii, options)).warnings.map(({ field, message }) => `${field}: ${message}`);
}

async function certificates(torii: string, options: Partial<LoadOptions> = {}) {
  const { config } = await loaded(torii, options);
  return config.listeners[0]?.tls?.certificates ?? [];
}

describe("a listener with tls", () => {
  test("speaks https, offers HTTP/2, and says all that it was told", async () => {
    const { config } = await loaded(`trustedProxies: [10.0.0.0/8]
listeners:
  - name: https
    port: 8443
    hostnames: [a.shop.example.com, "*.shop.example.com"]
    tls:
      certificates: [${pair("shop")}, ${pair("shop-rsa")}]
      minVersion: TLSv1.3
      ciphers: ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256
      strictSni: true
      clientAuth: { ca: certs/root.pem, crl: certs/crl.pem, mode: request }
    http2: false
    http3: experimental
    proxyProtocol: true
    hsts: { maxAge: 1d12h, includeSubDomains: true }
`);
    expect(config.listeners).toMatchObject([
      {
        protocol: "https",
        hasHttp2: false,
        hasHttp3: true,
        expectsProxyProtocol: true,
        httpsRedirectPort: null,
        hsts: { maxAgeSeconds: 129_600, includesSubdomains: true, isPreloaded: false },
        tls: {
          minVersion: "TLSv1.3",
          ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
          isStrictSni: true,
          clientAuth: { mode: "request", caPem: CERTS["certs/root.pem"], crlPem: CERTS["certs/crl.pem"] },
        },
      },
    ]);
  });

  test("has the facts of each certificate", async () => {
    const [shop, rsa, ed25519] = await certificates(
      listener(`${pair("shop")}, ${pair("shop-rsa")}, ${pair("shop-ed25519")}`),
    );
    expect(shop).toEqual({
      names: ["shop.example.com", "*.shop.example.com", "192.0.2.7", "[2001:db8::7]"],
      certPem: CERTS["certs/shop.pem"] ?? "",
      keyPem: CERTS["certs/shop.key"] ?? "",
      keyType: "ecdsa",
      notAfterAt: Date.parse("2126-01-01T00:00:00Z"),
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      origin: "certs/shop.pem",
      storeName: null,
    });
    expect([rsa?.keyType, ed25519?.keyType]).toEqual(["rsa", "ed25519"]);
  });

  test("has the defaults where it says no more", async () => {
    const { config } = await loaded(listener(pair("alone")));
    expect(config.listeners).toMatchObject([
      {
        hasHttp2: true,
        hasHttp3: false,
        hsts: null,
        tls: { minVersion: "TLSv1.2", ciphers: null, isStrictSni: false, clientAuth: null },
      },
    ]);
  });

  test("finds files from the folder of torii.yaml on", async () => {
    const files = Object.fromEntries(Object.entries(CERTS).map(([path, text]) => [`etc/${path}`, text]));
    const options = { path: "etc/torii.yaml", nowAt: NOW_AT };
    const { config } = await load(
      { ...files, "etc/torii.yaml": listener(pair("alone")), "etc/routes/a.yaml": "" },
      options,
    );
    expect(config.listeners[0]?.tls?.certificates[0]?.origin).toBe("etc/certs/alone.pem");
  });

  test("takes PEM texts instead of paths, from files and variables", async () => {
    const text = '{ cert: "${CERT}", key: "${file:certs/shop.key}" }';
    const [shop] = await certificates(listener(text), { env: { CERT: CERTS["certs/shop.pem"] ?? "" } });
    expect(shop).toMatchObject({ certPem: CERTS["certs/shop.pem"], keyPem: CERTS["certs/shop.key"] });
  });

  test("takes certificate and key from one file, and keeps the key out of the chain", async () => {
    const [shop] = await certificates(listener("{ cert: certs/both.pem, key: certs/both.pem }"));
    expect(shop).toMatchObject({ certPem: CERTS["certs/shop.pem"], keyPem: CERTS["certs/shop.key"] });
  });
});

describe("a chain", () => {
  test.each(["whole", "with-root"])("that is %s is taken as it is, without a warning", async (name) => {
    const { config, warnings: said } = await loaded(listener(pair(name, "published")));
    expect(config.listeners[0]?.tls?.certificates[0]?.certPem).toBe(CERTS[`certs/${name}.pem`] ?? "");
    expect(said).toEqual([]);
  });

  test("may be one self-signed certificate", async () => {
    expect(await warnings(listener(pair("alone")))).toEqual([]);
  });

  test("of one certificate of an authority that nobody knows is a warning", async () => {
    expect(await warnings(listener(pair("shop")))).toEqual([
      'listeners[0].tls.certificates[0].cert: certs/shop.pem holds no certificate of its issuer "CN=root"; append it, unless all clients hold it',
    ]);
  });
});

describe("time", () => {
  const endsAt = Date.parse("2126-01-01T00:00:00Z");
  const EXPIRES = "listeners[0].tls.certificates[0].cert: certs/alone.pem";

  test("warns from 14 days before the end on", async () => {
    const text = listener(pair("alone"));
    expect(await warnings(text, { nowAt: endsAt - 14 * DAY_MS })).toEqual([]);
    expect(await warnings(text, { nowAt: endsAt - 14 * DAY_MS + 1 })).toEqual([
      `${EXPIRES} expires on 2126-01-01T00:00:00Z, in 13 days; renew it`,
    ]);
    expect(await warnings(text, { nowAt: endsAt - 1 })).toEqual([
      `${EXPIRES} expires on 2126-01-01T00:00:00Z, in 0 days; renew it`,
    ]);
  });

  test("does not refuse a reload for a certificate in force that has expired, only a new one", async () => {
    const { config } = await loaded(listener(pair("alone")));
    const inForce = { nowAt: endsAt, certificatesInForce: fingerprintsOf(config) };
    expect(await warnings(listener(pair("alone")), inForce)).toEqual([
      `${EXPIRES} expired on 2126-01-01T00:00:00Z; renew it`,
    ]);
    const files = { "torii.yaml": listener(`${pair("alone")}, ${pair("shop")}`), ...CERTS };
    expect(await faults(files, inForce)).toEqual([
      "torii.yaml:1:119 listeners[0].tls.certificates[1].cert: certs/shop.pem expired on 2126-01-01T00:00:00Z; renew it",
    ]);
  });

  test("of a revocation list that is overdue is a warning", async () => {
    const auth = ", clientAuth: { ca: certs/root.pem, crl: certs/crl-overdue.pem, mode: require }";
    expect(await warnings(listener(pair("alone"), auth))).toEqual([
      "listeners[0].tls.clientAuth.crl: certs/crl-overdue.pem should have been replaced by 2020-02-01T00:00:00Z; fetch the new list",
    ]);
  });
});

describe("a certificate in the store", () => {
  const REDIS = "redis: redis://127.0.0.1\n";
  const text = `${REDIS}${listener("{ store: shop }")}`;
  const at = "torii.yaml:2:71 listeners[0].tls.certificates[0].store: ";
  const found = (options: Partial<LoadOptions>) => faults({ "torii.yaml": text }, { nowAt: NOW_AT, ...options });

  test("is asked for by its name, and judged as any other", async () => {
    const asked: unknown[] = [];
    const [shop] = await certificates(text, {
      readCertificate: async (name, redis) => {
        asked.push(name, redis);
        return { cert: CERTS["certs/alone.pem"] ?? "", key: CERTS["certs/alone.key"] ?? "" };
      },
    });
    expect(asked).toEqual(["shop", { url: "redis://127.0.0.1" }]);
    expect(shop).toMatchObject({ origin: "store shop", names: ["alone.example.com"] });
    const wrong = async () => ({ cert: CERTS["certs/alone.pem"] ?? "", key: CERTS["certs/shop.key"] ?? "" });
    expect(await found({ readCertificate: wrong })).toEqual([
      `${at}the key does not belong to the certificate; give the key that the certificate was issued for`,
    ]);
  });

  test("that is not there is a fault, and so is a store that does not answer", async () => {
    expect(await found({ readCertificate: async () => null })).toEqual([
      `${at}store shop does not exist; set the key torii:certificates:shop in Redis, or correct the name`,
    ]);
    expect(await found({ readCertificate: () => Promise.reject(new Error("timed out")) })).toEqual([
      `${at}store shop cannot be read (timed out); look whether Redis is reachable`,
    ]);
  });

  test("is a fault where nothing reads the store", async () => {
    expect(await found({})).toEqual([`${at}cannot be had, as nothing here reads the store; write { cert, key }`]);
  });

  test("is a warning for whoever reaches no store", async () => {
    expect(await warnings(text, { readCertificate: "skipped" })).toEqual([
      "listeners[0].tls.certificates[0].store: store shop was not looked at: only a running gateway reads it",
    ]);
  });
});

describe("a private key", () => {
  const body = (CERTS["certs/shop.key"] ?? "").split("\n")[1] ?? "";

  test("is shown as ***, and certificates in few words", async () => {
    const shown = showConfig(await loaded(listener(pair("shop"))));
    expect(body.length).toBeGreaterThan(40);
    expect(shown).not.toContain(body.slice(0, 20));
    expect(shown).toContain('keyPem: "***"');
    expect(shown).toContain("certPem: PEM of ");
  });

  test("stands in no fault, wherever it was put", async () => {
    const bare = (CERTS["certs/shop.key"] ?? "").replace(/-----[^-]*-----|\n/g, "");
    const found = await faults({
      ...CERTS,
      "torii.yaml": `listeners:
  - name: "\${file:certs/shop.key}"
    port: 8443
  - name: b
    port: 8444
    tls:
      minVersion: "\${file:certs/shop.key}"
      certificates: [{ cert: "\${file:certs/shop.key}", key: ${bare} }, { cert: ${bare}, key: certs/shop.key }]
trustedProxies: ["${bare}"]
`,
    });
    expect(found.length).toBeGreaterThan(2);
    expect(found.join("\n")).not.toContain(body.slice(0, 12));
  });

  test("of the wrong certificate stands in no fault either", async () => {
    const key = (CERTS["certs/client.key"] ?? "").replaceAll("\n", "\\n");
    const text = listener(`{ cert: certs/shop.pem, key: "${key}" }, { cert: "${key}", key: certs/shop.key }`);
    const found = await faults({ ...CERTS, "torii.yaml": text }, { nowAt: NOW_AT });
    expect(found).toHaveLength(2);
    expect(found.join("\n")).not.toContain((CERTS["certs/client.key"] ?? "").split("\n")[1]?.slice(0, 12));
  });
});

describe("files that are named", () => {
  test("are watched", async () => {
    const auth = ", clientAuth: { ca: certs/root.pem, crl: certs/crl.pem, mode: require }";
    const { watched } = await loaded(listener(pair("alone"), auth));
    const names = watched.filter((path) => path.includes("/certs/")).map((path) => path.split("/").at(-1));
    expect(names).toEqual(["alone.pem", "alone.key", "root.pem", "crl.pem"]);
  });

  test("are watched for a configuration that was refused too, readable or not", async () => {
    await inFolder(
      { "torii.yaml": `${listener("{ cert: late.pem, key: late.key }")}plugins: "\${file:late.txt}"\n` },
      async (cwd) => {
        const error: unknown = await loadConfig({ path: null, env: {}, cwd }).catch((thrown: unknown) => thrown);
        if (!(error instanceof LoadError)) throw new Error("it was not refused");
        for (const name of ["late.pem", "late.key", "late.txt"]) expect(error.watched).toContain(join(cwd, name));
        expect(error.readAt).toBeGreaterThan(Date.now() - 60_000);
      },
    );
  });
});

describe("one port", () => {
  test("is shared by listeners that the client's TLS name tells apart", async () => {
    const { config } = await loaded(`listeners:
  - { name: a, port: 8443, hostnames: [shop.example.com], tls: { certificates: [${pair("shop")}] } }
  - { name: b, port: 8443, protocol: tls_passthrough, hostnames: [db.example.com] }
  - { name: c, port: 8443, protocol: tls_passthrough }
  - { name: d, port: 8443, hostnames: ["*.example.com"], tls: { certificates: [${pair("shop")}] } }
`);
    expect(config.listeners.map(({ name, protocol }) => [name, protocol])).toEqual([
      ["a", "https"],
      ["b", "tls_passthrough"],
      ["c", "tls_passthrough"],
      ["d", "https"],
    ]);
  });
});
