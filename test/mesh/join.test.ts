import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Redis } from "ioredis";
import { type JoinOptions, joinMesh } from "../../packages/mesh/src/mesh.ts";
import { eventually } from "../support/load.ts";
import { freePort, startRedis } from "../support/redis.ts";
import { heldOf, isHeld, LEASES, startMember } from "./support.ts";

setDefaultTimeout(30_000);

describe("a member of the mesh", () => {
  test("is written at once, renews its lease, and is gone as soon as it leaves", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { weight: 3, zone: "z", version: "v2", tags: ["a"] });
    expect(await shop.member.joined).toBe(true);
    expect(await heldOf(redis)).toEqual({
      url: "http://127.0.0.1:9001",
      weight: 3,
      zone: "z",
      version: "v2",
      tags: ["a"],
    });
    expect(await redis.cli("SMEMBERS", "torii:mesh:services")).toBe("shop");
    const first = Number(await redis.cli("ZSCORE", LEASES, "one"));
    const isRenewed = async () => Number(await redis.cli("ZSCORE", LEASES, "one")) > first + 500;
    await eventually(isRenewed, "the lease to be renewed twice");
    expect(await shop.member.leave()).toBe(true);
    expect(await redis.cli("KEYS", "*")).toBe("");
    expect(shop.said.map(([state]) => state)).toEqual(["joined", "left"]);
  });

  test("waits after it is out, so that gateways know before the service stops", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { graceMs: 300 });
    await shop.member.joined;
    const isOut = shop.member.leave();
    await eventually(async () => (await heldOf(redis)) === null, "the endpoint to be out", 250);
    const outAt = performance.now();
    expect(await isOut).toBe(true);
    expect(performance.now() - outAt).toBeGreaterThan(50);
    expect(await shop.member.leave()).toBe(true);
  });

  test("changes at once, and says whether that stands", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { ttlMs: 60_000, tags: ["a"] });
    await shop.member.joined;
    expect(await shop.member.update({ weight: 0, version: "v3" })).toBe(true);
    expect(await heldOf(redis)).toMatchObject({ weight: 0, version: "v3", tags: ["a"] });
    await expect(shop.member.update({ weight: -1 })).rejects.toThrow("weight -1 is wrong");
    await redis.kill();
    expect(await shop.member.update({ weight: 5 })).toBe(false);
    await redis.restart();
    await isHeld(redis);
    expect(await heldOf(redis)).toMatchObject({ weight: 5, version: "v3" });
  });

  test("tells the load that it was given within a second when a share has moved, and in bounds", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { ttlMs: 60_000 });
    await shop.member.joined;
    shop.member.report({ cpu: 0.91234, memory: 7, inFlight: Number.NaN });
    const load = async () => (await heldOf(redis))?.["load"];
    await eventually(async () => (await load()) !== undefined, "the load", 2000);
    expect(await load()).toEqual({ cpu: 0.912, memory: 1 });
  });

  test("tells its own load with each sign of life when it is asked to", async () => {
    await using redis = await startRedis();
    await using _shop = startMember(redis.url, { reportOwnLoad: true });
    const isTold = async () => JSON.stringify(await heldOf(redis)).includes('"cpu":');
    await eventually(isTold, "the share of time");
    const load = (await heldOf(redis))?.["load"];
    expect(load).toEqual({ cpu: expect.any(Number), memory: expect.any(Number) });
  });
});

describe("a member whose Redis", () => {
  test("is killed and comes back empty, is there again within a sign of life", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { ttlMs: 3000 });
    await shop.member.joined;
    await redis.restart();
    await isHeld(redis, 2000);
    await eventually(() => shop.member.state === "joined", "it to be joined");
  });

  test("is emptied by mistake, is there again within a sign of life", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url, { ttlMs: 1500 });
    await shop.member.joined;
    await redis.cli("FLUSHALL");
    await isHeld(redis, 1000);
  });

  test("is away at first, joins when it comes", async () => {
    const port = freePort();
    await using shop = startMember(`redis://127.0.0.1:${port}`);
    await eventually(() => shop.member.state === "away", "it to be away");
    expect(shop.said).toEqual([["away", expect.stringContaining("ECONNREFUSED")]]);
    await using redis = await startRedis({ port });
    expect(await shop.member.joined).toBe(true);
    await isHeld(redis);
  });

  test("never comes, leaves all the same and says that it is not out", async () => {
    await using shop = startMember(`redis://127.0.0.1:${freePort()}`);
    expect(await shop.member.leave()).toBe(false);
    expect(await shop.member.joined).toBe(false);
    expect(shop.said.at(-1)?.[0]).toBe("left");
  });

  test("stands still, is away, and leaves within the time that a lease has", async () => {
    await using redis = await startRedis();
    await using shop = startMember(redis.url);
    await shop.member.joined;
    process.kill(redis.pid, "SIGSTOP");
    await eventually(() => shop.member.state === "away", "it to be away", 5000);
    expect(await shop.member.leave()).toBe(false);
    process.kill(redis.pid, "SIGCONT");
  });
});

describe("a client that is there already", () => {
  test("is used and stays its owner's", async () => {
    await using redis = await startRedis();
    const client = new Redis(redis.url, { keyPrefix: "x:" });
    await using shop = startMember(client, { prefix: "y:" });
    await shop.member.joined;
    expect(await redis.cli("HLEN", "x:y:mesh:{shop}:endpoints")).toBe("1");
    expect(await shop.member.leave()).toBe(true);
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
  });

  test("gets no second writing while one is not answered", async () => {
    const sent: string[] = [];
    const silent = {
      call: (command: string) => {
        sent.push(command);
        return new Promise<never>(() => {});
      },
    };
    await using shop = startMember(silent);
    for (let i = 0; i < 100; i++) {
      shop.member.report({ cpu: i % 2 });
      void shop.member.update({ weight: i });
    }
    await eventually(() => shop.member.state === "away", "it to be away", 5000);
    expect(sent).toEqual(["EVALSHA", "EVALSHA"]);
    expect(await shop.member.leave()).toBe(false);
  });
});

describe("joining", () => {
  const right: JoinOptions = { redis: "redis://127.0.0.1:1", service: "shop", url: "http://h:1" };
  const rows: readonly (readonly [Partial<JoinOptions>, RegExp])[] = [
    [{ redis: "http://secret@h" }, /^redis is no URL of a Redis; write redis:/],
    [{ service: "a b" }, /^service "a b" is wrong; write a name such as "catalog"$/],
    [{ url: "http://h:1/path" }, /^url .* write http:\/\/host:port without a path$/],
    [{ id: "" }, /^id "" is wrong/],
    [{ id: "x".repeat(257) }, /^id .* at most 256 characters$/],
    [{ tags: ["x".repeat(20_000)] }, /^the endpoint is too large; write at most 16384 bytes/],
    [{ weight: 1.5 }, /^weight 1.5 is wrong; write a whole number from 0 to 1000000$/],
    [{ zone: "" }, /^zone/],
    [{ tags: [""] }, /^tags/],
    [{ ttlMs: 10 }, /^ttlMs 10 is wrong; write milliseconds, 1000 or more$/],
    [{ graceMs: -1 }, /^graceMs/],
    [{ prefix: "{a}" }, /^prefix .* without braces/],
  ];
  for (const [change, said] of rows) {
    test(`refuses ${JSON.stringify(change).slice(0, 60)}`, () => {
      expect(() => joinMesh({ ...right, ...change })).toThrow(said);
    });
  }
});
