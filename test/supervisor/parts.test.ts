import { describe, expect, test } from "bun:test";
import { createAnswers } from "../../src/supervisor/answers.ts";
import { createBackoff } from "../../src/supervisor/backoff.ts";
import { createLineJoin } from "../../src/supervisor/line-join.ts";
import { parseFromWorker, parseToWorker } from "../../src/supervisor/message.ts";
import { createTurns } from "../../src/supervisor/turns.ts";

describe("the wait before the next start", () => {
  test("is none at first, then doubles up to five seconds, and never ends", () => {
    const backoff = createBackoff();
    const waits = Array.from({ length: 10 }, () => backoff.after(0));
    expect(waits).toEqual([0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  test("begins anew after a worker that ran for a while", () => {
    const backoff = createBackoff();
    for (let at = 0; at < 5; at++) backoff.after(0);
    expect([backoff.after(10_000), backoff.after(0)]).toEqual([0, 100]);
  });
});

/** What is passed on of these pieces, and whether the end was torn. */
function joined(...pieces: readonly string[]): { readonly lines: readonly string[]; readonly isTorn: boolean } {
  const lines: string[] = [];
  const join = createLineJoin((bytes) => void lines.push(Buffer.from(bytes).toString()));
  for (const piece of pieces) join.add(Buffer.from(piece));
  return { lines, isTorn: join.end() };
}

describe("lines of one writer", () => {
  test.each([
    ["whole ones at once", ["a\nb\n"], ["a\nb\n"], false],
    ["the rest with what comes next", ["a\nb", "c", "\nd\n"], ["a\n", "bc\nd\n"], false],
    ["a line end alone", ["a", "\n"], ["a\n"], false],
    ["nothing of an unfinished one", ["a\nb"], ["a\n"], true],
    ["nothing of nothing", [], [], false],
  ] as const)("pass on %s", (_, pieces, lines, isTorn) => {
    expect(joined(...pieces)).toEqual({ lines: [...lines], isTorn });
  });

  test("are cut when they have no end, so that they cannot fill the memory", () => {
    const { lines } = joined(...Array.from({ length: 40 }, () => "x".repeat(64 * 1024)));
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.every((line) => line.endsWith("\n"))).toBe(true);
  });
});

describe("messages", () => {
  test.each([
    { type: "reload" },
    { type: "drain" },
    { type: "fly" },
    { type: "start", slot: 0, configPath: null, certificatesInForce: [], certificates: [], sockets: [] },
    "reload",
    null,
  ])("%j is none for a worker", (message) => {
    expect(parseToWorker(message)).toBeNull();
  });

  test("are taken as they are when they are whole", () => {
    const drain = { type: "drain", isRelieved: true, isPatient: true } as const;
    expect(parseToWorker(drain)).toEqual(drain);
    expect(parseFromWorker({ type: "ready", version: "1" })).toEqual({ type: "ready", version: "1" });
    expect(parseFromWorker({ type: "ready" })).toBeNull();
  });
});

describe("a question", () => {
  test("gets its own answer", async () => {
    const answers = createAnswers<string>();
    const asked: number[] = [];
    const waits = [
      answers.wait(10_000, (id) => void asked.push(id)),
      answers.wait(10_000, (id) => void asked.push(id)),
    ];
    answers.give(asked[1] ?? 0, "second");
    answers.give(asked[0] ?? 0, "first");
    expect(await Promise.all(waits)).toEqual(["first", "second"]);
  });

  test("has none in time, or when the other side is gone", async () => {
    const answers = createAnswers<string>();
    expect(await answers.wait(1, () => {})).toBeNull();
    const waiting = answers.wait(10_000, () => {});
    answers.close();
    expect([await waiting, await answers.wait(10_000, () => {})]).toEqual([null, null]);
  });
});

describe("work in turn", () => {
  test("follows one another, and goes on after a failure", async () => {
    const inTurn = createTurns();
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = inTurn(async () => {
      await gate.promise;
      order.push("first");
      throw new Error("no");
    });
    const second = inTurn(async () => void order.push("second"));
    gate.resolve();
    await expect(first).rejects.toThrow("no");
    await second;
    expect(order).toEqual(["first", "second"]);
  });
});
