import { describe, expect, test } from "bun:test";
import { authority, type LeafSpec, type TestCertificate } from "../support/certificates.ts";
import { get } from "../support/forward.ts";
import { connectTls, type TlsClient } from "../support/tls-client.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { catchAll, startGateway, type TestGateway } from "../support.ts";

const ROTATIONS = 100;
const NAME = "shop.test";
const ca = authority();
const SPECS: readonly LeafSpec[] = [
  { names: [NAME] },
  { names: [NAME], keyType: "rsa" },
  { names: [NAME, "www.shop.test"] },
];

// One file for both, so that no reader ever finds a key that belongs to another certificate.
const pemOf = ({ cert, key }: TestCertificate) => cert + key;

function start(url: string, first: TestCertificate): Promise<TestGateway> {
  const certificates = [{ cert: "certs/shop.pem", key: "certs/shop.pem" }];
  return startGateway({
    torii: {
      listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls: { certificates } }],
      telemetry: { accessLog: { enabled: false } },
    },
    routes: catchAll(url),
    files: { "certs/shop.pem": pemOf(first) },
  });
}

async function statusOn(client: TlsClient): Promise<number> {
  await client.raw.send(get());
  return (await client.raw.response()).status;
}

interface Load {
  readonly statuses: ReadonlyMap<number, number>;
  readonly serials: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Asks on connections that stay and on new ones, over HTTP/1.1, until it is stopped; whatever goes wrong rejects. */
function startLoad(gateway: TestGateway): Load {
  const statuses = new Map<number, number>();
  const serials = new Set<string>();
  let isOver = false;
  const count = (status: number) => statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const open = () => connectTls(gateway, { name: NAME });

  async function kept(): Promise<void> {
    using client = await open();
    while (!isOver) count(await statusOn(client));
  }
  async function fresh(): Promise<void> {
    while (!isOver) {
      using client = await open();
      serials.add(client.certificate.serialNumber);
      count(await statusOn(client));
    }
  }
  async function resuming(): Promise<void> {
    let session: Buffer | null = null;
    while (!isOver) {
      using client: TlsClient = await connectTls(gateway, { name: NAME, ...(session === null ? {} : { session }) });
      count(await statusOn(client));
      session = client.session();
    }
  }
  const work = Promise.all([kept(), kept(), fresh(), fresh(), resuming()]);
  return {
    statuses,
    serials,
    async stop() {
      isOver = true;
      await work;
    },
  };
}

describe("a certificate", () => {
  test(`is rotated ${ROTATIONS} times under new, kept and resumed connections, without a failure`, async () => {
    const certificates = Array.from({ length: 10 }, (_, at) => ca.renew(SPECS[at % SPECS.length] ?? {}));
    const [first] = certificates;
    if (first === undefined) throw new Error("no certificate");
    await using upstream = startAnswering(() => ok());
    await using gateway = await start(upstream.url, first);
    using kept = await connectTls(gateway, { name: NAME });
    const load = startLoad(gateway);
    for (let at = 1; at <= ROTATIONS; at++) {
      await gateway.write("certs/shop.pem", pemOf(certificates[at % certificates.length] ?? first));
      expect(await gateway.gateway.reload()).toMatchObject({ isLive: true });
    }
    using last = await connectTls(gateway, { name: NAME });
    await load.stop();
    expect([...load.statuses.keys()]).toEqual([200]);
    expect(load.statuses.get(200)).toBeGreaterThan(ROTATIONS);
    // New connections got the new certificates as they came.
    expect(load.serials.size).toBeGreaterThan(certificates.length / 2);
    expect(pemOf(certificates[ROTATIONS % certificates.length] ?? first)).toContain(
      last.certificate.raw.toString("base64").slice(0, 64),
    );
    // And one from before them all is still served.
    expect(await statusOn(kept)).toBe(200);
  }, 60_000);

  test("that cannot be read, is expired or belongs to another key changes nothing, and the fault names the file", async () => {
    const good = ca.issue({ names: [NAME] });
    const old = ca.issue({ names: [NAME], days: -2 });
    await using upstream = startAnswering(() => ok());
    await using gateway = await start(upstream.url, good);
    for (const bad of ["nonsense", good.cert, pemOf(old), old.cert + good.key]) {
      await gateway.write("certs/shop.pem", bad);
      const result = await gateway.gateway.reload();
      expect(result.isLive).toBe(false);
      if (!result.isLive) expect(JSON.stringify(result.error.issues)).toContain("listeners[0].tls");
      using client = await connectTls(gateway, { name: NAME });
      expect(await statusOn(client)).toBe(200);
    }
  });
});
