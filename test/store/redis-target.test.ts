import { describe, expect, test } from "bun:test";
import { backoffMs } from "../../src/store/backoff.ts";
import { redisServer } from "../../src/store/redis-target.ts";

describe("a Redis server", () => {
  const rows = [
    ["10.0.0.7:6380", { host: "10.0.0.7", port: 6380 }],
    ["redis-0.shop", { host: "redis-0.shop", port: 6379 }],
    ["[::1]:7000", { host: "::1", port: 7000 }],
    ["redis://cache:1", { host: "cache", port: 1 }],
    ["redis://cache/3", { host: "cache", port: 6379, db: 3 }],
    ["redis://cache/", { host: "cache", port: 6379 }],
    ["redis://:p%40ss@cache:1/0", { host: "cache", port: 1, db: 0, password: "p@ss" }],
    ["redis://us%20er:p:w@[::1]:1", { host: "::1", port: 1, username: "us er", password: "p:w" }],
    ["rediss://cache:1", { host: "cache", port: 1, tls: { servername: "cache" } }],
    ["rediss://10.0.0.7", { host: "10.0.0.7", port: 6379, tls: {} }],
  ] as const;
  test.each(rows)("%s is read", (text, server) => {
    expect(redisServer(text)).toEqual(server);
  });

  test("that is none is not taken", () => {
    for (const text of ["a b", "redis://", "cache:99999"]) expect(() => redisServer(text)).toThrow(TypeError);
  });
});

describe("the time between attempts", () => {
  test("doubles from 50 ms to two seconds, and stays there", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1_000_000].map((attempt) => backoffMs(attempt, () => 1))).toEqual([
      50, 100, 200, 400, 800, 1600, 2000, 2000, 2000,
    ]);
  });

  test("is at least half of that", () => {
    expect(backoffMs(1, () => 0)).toBe(25);
    expect(backoffMs(9, () => 0)).toBe(1000);
  });
});
