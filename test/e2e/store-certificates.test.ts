import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { torii as command } from "../cli/support.ts";
import { startReady } from "../supervisor/support.ts";
import { authority, type TestCertificate } from "../support/certificates.ts";
import { eventually } from "../support/load.ts";
import { startTorii } from "../support/process.ts";
import { type RedisProcess, startRedis } from "../support/redis.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway, type TestGateway } from "../support.ts";

setDefaultTimeout(60_000);

const NAME = "shop.test";
const TLS = { certificates: [{ store: "shop" }] };
const FIELD = "listeners[0].tls.certificates[0].store";

const renewed = (): TestCertificate => authority().renew({ names: [NAME] });
const answering = (status: number) =>
  `routes: [{ name: all, matches: [{ path: "/*" }], plugins: [{ use: respond, with: { status: ${status} } }] }]\n`;

/** Writes a certificate as any tool would: what stands at its key, then its name to those who listen. */
async function put(redis: RedisProcess, value: TestCertificate | string): Promise<void> {
  const text = typeof value === "string" ? value : JSON.stringify({ cert: value.cert, key: value.key });
  await redis.cli("SET", "torii:certificates:shop", text);
}

async function rotate(redis: RedisProcess, value: TestCertificate | string): Promise<void> {
  await put(redis, value);
  await redis.cli("PUBLISH", "torii:certificates:changes", "shop");
}

function startShop(redis: RedisProcess, routes = answering(201)): Promise<TestGateway> {
  return startGateway({
    torii: { redis: redis.url, listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls: TLS }] },
    routes,
  });
}

/** A client within TLS that can ask for the status of one answer after the other. */
async function client(port: number): Promise<Disposable & { readonly serial: string; ask(): Promise<number> }> {
  const ca = authority().cert;
  const socket: TLSSocket = connect({ host: "127.0.0.1", port, servername: NAME, ca, ALPNProtocols: ["http/1.1"] });
  await once(socket, "secureConnect");
  return {
    serial: socket.getPeerCertificate().serialNumber,
    async ask() {
      socket.write(`GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
      const [bytes]: unknown[] = await once(socket, "data");
      return Number(String(bytes).split(" ")[1]);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

async function rename(gateway: TestGateway, from: string, to: string): Promise<void> {
  const text = await Bun.file(`${gateway.folder}/torii.yaml`).text();
  await gateway.write("torii.yaml", text.replace(from, to));
}

async function shown(port: number): Promise<string> {
  using one = await client(port);
  return one.serial;
}

const becomes = (port: number, serial: string) =>
  eventually(async () => (await shown(port)) === serial, "the new certificate");

const said = (gateway: TestGateway, text: string) =>
  gateway.log.filter((line) => JSON.stringify(line).includes(text)).map(({ field, message }) => ({ field, message }));

const isUp = async ({ gateway }: TestGateway) => /^torii_store_up (.)$/m.exec(await gateway.metrics.render())?.[1];

function serialOf({ cert }: TestCertificate): string {
  return new X509Certificate(cert).serialNumber;
}

describe("a certificate in the store", () => {
  test("serves, and is rotated under connections that stay", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    using kept = await client(gateway.port);
    expect([kept.serial, await kept.ask()]).toEqual([serialOf(before), 201]);
    await rotate(redis, after);
    await becomes(gateway.port, serialOf(after));
    expect([await kept.ask(), await isUp(gateway)]).toEqual([201, "1"]);
    expect(gateway.gateway.snapshot()?.version).toBe("2");
  });

  test("is read anew for its own name only, and only when it differs", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    await rotate(redis, before);
    await redis.cli("PUBLISH", "torii:certificates:changes", "other");
    await rotate(redis, after);
    await becomes(gateway.port, serialOf(after));
    expect(gateway.gateway.snapshot()?.version).toBe("2");
  });

  test("that is no pair any more is refused at its place, shows no key, and stays until it is mended", async () => {
    const [before, other, after] = [renewed(), renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    await rotate(redis, JSON.stringify({ cert: other.cert, key: after.key }));
    await eventually(() => said(gateway, "configuration refused").length > 0, "the refusal");
    expect(said(gateway, "configuration refused")).toEqual([
      { field: FIELD, message: expect.stringContaining("the key does not belong to the certificate") },
    ]);
    expect(await shown(gateway.port)).toBe(serialOf(before));
    await rotate(redis, after);
    await becomes(gateway.port, serialOf(after));
    expect(JSON.stringify(gateway.log)).not.toContain("PRIVATE KEY");
  });

  test("that changed unheard, while the connection was lost, is taken when it stands again", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    const follows = async () => (await redis.cli("PUBSUB", "NUMSUB", "torii:certificates:changes")).endsWith("1");
    await eventually(follows, "the subscription");
    await put(redis, after);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await becomes(gateway.port, serialOf(after));
  });

  test("that changed while Redis was away is taken when it is back; until then the one in force serves any edit", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    using kept = await client(gateway.port);
    await redis.kill();
    await eventually(async () => (await isUp(gateway)) === "0", "the store to be away");
    await gateway.write("routes/main.yaml", answering(202));
    await eventually(async () => (await kept.ask()) === 202, "the edit");
    expect([await shown(gateway.port), said(gateway, "configuration refused")]).toEqual([serialOf(before), []]);
    expect(said(gateway, "the one in force stays")).toEqual([
      { field: FIELD, message: expect.stringContaining("store shop cannot be read (Redis is away") },
    ]);
    await redis.restart();
    await rotate(redis, after);
    await becomes(gateway.port, serialOf(after));
    expect([await kept.ask(), await isUp(gateway)]).toEqual([202, "1"]);
    const states = gateway.log.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith("store is"));
    expect(states).toEqual(["store is ready", "store is away: connecting goes on", "store is ready"]);
  });

  test("that is named before it is there is taken as soon as it comes", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    await rename(gateway, '"store": "shop"', '"store": "late"');
    await eventually(() => said(gateway, "store late does not exist").length > 0, "the refusal");
    await redis.cli("SET", "torii:certificates:late", JSON.stringify({ cert: after.cert, key: after.key }));
    await redis.cli("PUBLISH", "torii:certificates:changes", "late");
    await becomes(gateway.port, serialOf(after));
  });

  test("is kept, and the loss told once, where Redis comes back without it", async () => {
    const before = renewed();
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    await redis.restart();
    await eventually(() => said(gateway, "configuration refused").length > 0, "the refusal");
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await redis.cli("PUBLISH", "torii:certificates:changes", "shop");
    await rotate(redis, before);
    await eventually(async () => /_successful 1$/m.test(await gateway.gateway.metrics.render()), "the recovery");
    expect([await shown(gateway.port), said(gateway, "configuration refused").length]).toEqual([serialOf(before), 1]);
  });

  test("of another Redis that is away is refused, and what runs stays", async () => {
    const before = renewed();
    await using redis = await startRedis();
    await put(redis, before);
    await using gateway = await startShop(redis);
    await rename(gateway, redis.url, `redis://127.0.0.1:${closedPort()}`);
    await eventually(() => said(gateway, "configuration refused").length > 0, "the refusal");
    expect(said(gateway, "configuration refused")[0]?.message).toContain("ECONNREFUSED");
    expect([await shown(gateway.port), await isUp(gateway)]).toEqual([serialOf(before), "1"]);
  });

  test("is found in another Redis as soon as the configuration names that", async () => {
    const [before, after, last] = [renewed(), renewed(), renewed()];
    await using redis = await startRedis();
    await using other = await startRedis();
    await put(redis, before);
    await put(other, after);
    await using gateway = await startShop(redis);
    await rename(gateway, redis.url, other.url);
    await becomes(gateway.port, serialOf(after));
    await eventually(async () => !(await redis.cli("CLIENT", "LIST")).includes("name=torii"), "the old store to close");
    await rotate(other, last);
    await becomes(gateway.port, serialOf(last));
  });
});

/** What `torii run` says of a start that fails, and its exit status. */
async function failedStart(redis: string): Promise<readonly [number, string]> {
  const folder = (await Bun.$`mktemp -d`.text()).trim();
  try {
    const listeners = [{ name: "https", address: "127.0.0.1", port: closedPort(), tls: TLS }];
    await Bun.write(`${folder}/torii.yaml`, JSON.stringify({ redis, listeners }));
    await Bun.write(`${folder}/routes/main.yaml`, "routes: []\n");
    await using torii = startTorii(["run"], folder);
    return [await torii.exited, torii.output()];
  } finally {
    await Bun.$`rm -r ${folder}`;
  }
}

describe("a start", () => {
  test.each([
    ["does not exist", null],
    ["holds no certificate; write JSON", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"],
    ["holds no certificate; write JSON", JSON.stringify({ cert: "only" })],
    ["holds no certificate in PEM", JSON.stringify({ cert: "a", key: "b" })],
  ] as const)("with a certificate that %s is refused at its place, with 1 (%j)", async (fault, text) => {
    await using redis = await startRedis();
    if (text !== null) await put(redis, text);
    const [code, output] = await failedStart(redis.url);
    expect(code).toBe(1);
    expect(output).toContain(`${FIELD}: store shop ${fault}`);
    expect(output).not.toContain("MIIEv");
  });

  test("without Redis says so, and ends with 1", async () => {
    const [code, output] = await failedStart(`redis://127.0.0.1:${closedPort()}`);
    expect(code).toBe(1);
    expect(output).toMatch(/store shop cannot be read \(Redis is away: connect ECONNREFUSED .*Redis is reachable/);
  });
});

describe("torii validate", () => {
  test("reads the store where it answers", async () => {
    await using redis = await startRedis();
    const files = { "torii.yaml": JSON.stringify({ redis: redis.url, listeners: [{ name: "a", port: 1, tls: TLS }] }) };
    const { code, out } = await command(["validate"], files);
    expect([code, out]).toEqual([
      1,
      expect.stringContaining("store shop does not exist; set the key torii:certificates:shop"),
    ]);
    await put(redis, renewed());
    expect(await command(["validate"], files)).toMatchObject({ code: 0, out: expect.stringContaining("valid:") });
  });
});

describe("two workers", () => {
  test("rotate together, and one that crashes while Redis is away is replaced all the same", async () => {
    const [before, after] = [renewed(), renewed()];
    await using redis = await startRedis();
    await put(redis, before);
    const port = closedPort();
    const listeners = [{ name: "https", address: "127.0.0.1", port, tls: TLS }];
    await using workers = await startReady({ torii: { redis: redis.url, listeners } });
    expect(await shownMany(port)).toEqual([serialOf(before)]);
    await rotate(redis, after);
    await workers.torii.says(/"workers":2,"msg":"configuration is live"/);
    expect(await shownMany(port)).toEqual([serialOf(after)]);
    expect(await workers.metric("torii_store_up")).toBe(1);
    await redis.kill();
    await workers.torii.says(/store is away/);
    const [victim = 0] = await workers.pids();
    process.kill(victim, "SIGKILL");
    await eventually(async () => (await workers.metric("torii_worker_restarts_total")) === 1, "a new worker", 20_000);
    expect([await shownMany(port), (await workers.pids()).includes(victim)]).toEqual([[serialOf(after)], false]);
    expect(workers.torii.output()).not.toContain("PRIVATE KEY");
  });
});

/** The certificates that forty connections are shown, which the kernel spreads over the workers. */
async function shownMany(port: number): Promise<readonly string[]> {
  const serials = new Set<string>();
  for (let at = 0; at < 40; at++) serials.add(await shown(port));
  return [...serials];
}
