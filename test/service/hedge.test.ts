import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { startH2Answering, TYPE } from "../support/h2-upstream.ts";
import { eventually } from "../support/load.ts";
import { startBlackhole } from "../support/unreachable.ts";
import { ok, startAnswering, type UpstreamConnection } from "../support/upstream.ts";
import { TestBody } from "../wire/h2/upstream-support.ts";
import { AFTER_MS, GUARDS, gone, hedging, inFlight, pass, send, startSilent } from "./hedge-support.ts";
import { bodyOf, serviceAt } from "./retry-support.ts";
import { startForward } from "./support.ts";

describe("an attempt that does not answer", () => {
  test("gets another beside it, whose response is the client's; the first is called off", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url]);
    const { exchange, forwarded, decisions } = send(setup);
    await slow.taken(1);
    expect(setup.pauses.map(({ ms }) => ms)).toEqual([AFTER_MS]);
    await pass(setup);
    expect((await forwarded).outcome).toBe("well");
    await gone(slow);
    expect([exchange.endpoint, exchange.attempts, exchange.upstreamStatus]).toEqual(["1", 2, 200]);
    expect(decisions()).toEqual(["hedge sent 1", "hedge won 1", "hedge lost 0"]);
    expect([setup.hedges, setup.results, inFlight(setup)]).toEqual([["won"], [], [0, 0]]);
  });

  test("may still be the first to answer", async () => {
    await using slow = startSilent();
    await using other = startSilent();
    using setup = await serviceAt([slow.url, other.url]);
    const { exchange, forwarded, decisions } = send(setup);
    await slow.taken(1);
    await pass(setup);
    await other.taken(1);
    await slow.say(ok("late"));
    expect((await forwarded).outcome).toBe("late");
    await gone(other);
    expect([exchange.endpoint, exchange.attempts, exchange.upstreamStatus]).toEqual(["0", 2, 200]);
    expect(decisions()).toEqual(["hedge sent 1", "hedge lost 1"]);
    expect([setup.hedges, inFlight(setup), slow.connections.length]).toEqual([["lost"], [0, 0], 1]);
  });

  test("gets none beside it when it answers in time, and its connection is kept", async () => {
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([well.url, well.url]);
    for (let i = 0; i < 2; i++) expect((await send(setup).forwarded).outcome).toBe("well");
    expect(setup.pauses.map(({ isOff }) => isOff)).toEqual([true, true]);
    expect([setup.hedges, inFlight(setup)]).toEqual([[], [0, 0]]);
  });

  test("gets as many as the route says, each after the same time, all within its attempts", async () => {
    await using slow = startSilent();
    await using also = startSilent();
    await using third = startSilent();
    using setup = await serviceAt([slow.url, also.url, third.url]);
    const { forwarded } = send(setup, { policy: hedging({ max: 2 }, { attempts: 2 }) });
    for (const [index, upstream] of [slow, also].entries()) {
      await upstream.taken(1);
      await pass(setup, index);
    }
    await third.taken(1);
    expect(setup.pauses.map(({ ms }) => ms)).toEqual([AFTER_MS, AFTER_MS]);
    await also.say(ok("also"));
    expect((await forwarded).outcome).toBe("also");
    for (const upstream of [slow, third]) await gone(upstream);
    expect([setup.hedges.toSorted(), inFlight(setup)]).toEqual([
      ["lost", "won"],
      [0, 0, 0],
    ]);
  });

  test("is given as long as a share of the latest took, once enough of them are known", async () => {
    await using well = startAnswering(() => ok("well"));
    await using silent = startSilent();
    using setup = await serviceAt([well.url, silent.url]);
    const policy = hedging({ afterMs: null, share: 0.9 }, { budgetShare: 1 });
    // Of the silent one it is known only that it takes longer than a hedge waits.
    for (let i = 0; i < 30; i++) {
      const before = setup.pauses.length;
      const { exchange, forwarded } = send(setup, { policy });
      if (exchange.endpoint === "1") {
        if (setup.pauses.length === before) exchange.gone(new GatewayError("client_closed", "left"));
        else setup.pauses[before]?.end();
      }
      await forwarded;
    }
    const waits = setup.pauses.map(({ ms }) => ms);
    expect([waits.length > 5, waits.length < 21, Math.max(...waits) < 1000]).toEqual([true, true, true]);
    expect(setup.hedges).toContain("won");
  });

  test("that still waits to be connected is given up", async () => {
    using nowhere = await startBlackhole();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([`http://127.0.0.1:${nowhere.port}`, well.url]);
    const { forwarded } = send(setup);
    await pass(setup);
    expect([(await forwarded).outcome, inFlight(setup)]).toEqual(["well", [0, 0]]);
  });

  test("that still waits to be connected has its body read, so that another can send it", async () => {
    using nowhere = await startBlackhole();
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    using setup = await serviceAt([`http://127.0.0.1:${nowhere.port}`, well.url]);
    const { forwarded } = send(setup, { line: "PUT / HTTP/1.1", body: bodyOf("hel", "lo") });
    await pass(setup);
    expect([(await forwarded).outcome, inFlight(setup)]).toEqual(["got hello", [0, 0]]);
  });

  test("that waits for a connection leaves the queue", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url], { maxConnections: 1, balancer: "round_robin" });
    const first = startForward(setup.service, { policy: { retry: null } });
    await slow.taken(1);
    expect((await startForward(setup.service, { policy: { retry: null } }).forwarded).outcome).toBe("well");
    const { forwarded, exchange } = send(setup);
    await pass(setup);
    expect([(await forwarded).outcome, exchange.attempts, inFlight(setup)]).toEqual(["well", 2, [1, 0]]);
    await slow.say(ok("first"));
    expect([(await first.forwarded).outcome, slow.requests.length]).toEqual(["first", 1]);
  });

  test("is reset over HTTP/2, on a connection that serves on", async () => {
    let resets = 0;
    await using slow = startH2Answering(async (connection, { streamId }) => {
      await connection.next(TYPE.reset, streamId);
      resets++;
    });
    await using well = startH2Answering((connection, { streamId }, body) =>
      connection.respond(streamId, `got ${body}`),
    );
    using setup = await serviceAt([slow.url, well.url], { protocol: "h2c" });
    for (let i = 0; i < 2; i++) {
      const { forwarded } = send(setup, { line: "PUT / HTTP/1.1", body: bodyOf("hel", "lo") });
      await pass(setup, i);
      expect((await forwarded).outcome).toBe("got hello");
      await eventually(() => resets > i, "a reset");
    }
    expect([setup.hedges, inFlight(setup), slow.connections.length]).toEqual([["won", "won"], [0, 0], 1]);
  });
});

/** A request that two endpoints have, and say nothing about. */
async function startBothAsked() {
  await using started = new AsyncDisposableStack();
  const first = started.use(startSilent());
  const second = started.use(startSilent());
  const setup = started.use(await serviceAt([first.url, second.url]));
  const sent = send(setup);
  await pass(setup);
  await second.taken(1);
  const owned = started.move();
  return { first, second, setup, ...sent, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("an attempt that fails while another is under way is not yet the answer", () => {
  test.each([
    [
      "answers what is to be tried again",
      (it: UpstreamConnection) => it.send("HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n"),
    ],
    ["closes", (it: UpstreamConnection) => Promise.resolve(it.peer.close())],
    ["talks garbage", (it: UpstreamConnection) => it.send("GARBAGE\r\n\r\n")],
  ])("where it %s", async (_, fail) => {
    await using both = await startBothAsked();
    const { first, second, setup, exchange, forwarded, decisions } = both;
    await fail(await first.connection(0));
    await eventually(() => decisions().length > 1, "the failure");
    expect([exchange.respondedAt, exchange.upstreamStatus]).toEqual([0, 0]);
    await second.say(ok("well"));
    expect((await forwarded).outcome).toBe("well");
    expect(decisions()).toEqual(["hedge sent 1", "hedge failed 0", "hedge won 1"]);
    expect([exchange.endpoint, exchange.upstreamStatus, setup.results]).toEqual(["1", 200, []]);
  });

  test("the last failure is, when all fail", async () => {
    await using both = await startBothAsked();
    const { first, second, setup, exchange, forwarded, decisions } = both;
    await second.say("HTTP/1.1 503 Sad\r\nContent-Length: 3\r\n\r\nsad");
    await eventually(() => decisions().length > 1, "the failure");
    await first.say("HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad");
    expect((await forwarded).outcome).toBe("bad");
    expect(decisions()).toEqual(["hedge sent 1", "hedge failed 1", "retry attempts_exhausted 0"]);
    expect([exchange.endpoint, exchange.upstreamStatus, setup.hedges]).toEqual(["0", 502, ["failed"]]);
  });

  test("and when all fail, another is made while there are attempts, which may be hedged as well", async () => {
    await using first = startSilent();
    await using second = startSilent();
    await using third = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([first.url, second.url, third.url, well.url]);
    const policy = hedging({ max: 2 }, { attempts: 3, backoffMs: 50 });
    const { exchange, forwarded, decisions } = send(setup, { policy });
    await pass(setup, 0);
    await second.taken(1);
    for (const upstream of [first, second]) (await upstream.connection(0)).peer.close();
    await eventually(() => setup.pauses.length === 3, "the pause before the retry");
    await pass(setup, 2);
    await third.taken(1);
    await pass(setup, 3);
    expect((await forwarded).outcome).toBe("well");
    expect(exchange.attempts).toBe(4);
    expect(decisions()).toEqual([
      "hedge sent 1",
      "hedge failed 0",
      "hedge failed 1",
      "retry reset 1",
      "hedge sent 3",
      "hedge won 3",
      "hedge lost 2",
    ]);
    expect([setup.hedges, inFlight(setup)]).toEqual([
      ["failed", "won"],
      [0, 0, 0, 0],
    ]);
  });

  test("where its endpoint is to blame, it is blamed", async () => {
    using nowhere = await startBlackhole();
    await using second = startSilent();
    const outliers = { ...GUARDS.outliers, ejectForMs: 1000 };
    const timeouts = { connectMs: 60, responseMs: 3000, idleMs: 60_000 };
    using setup = await serviceAt([`http://127.0.0.1:${nowhere.port}`, second.url], { outliers, timeouts });
    const { forwarded, decisions } = send(setup);
    await pass(setup);
    await second.taken(1);
    await eventually(() => decisions().includes("hedge failed 0"), "the time to connect to be over");
    expect(setup.service.guards?.ejected).toBe(1);
    await second.say(ok("well"));
    expect((await forwarded).outcome).toBe("well");
  });
});

describe("nothing is sent beside an attempt", () => {
  test.each([
    ["of a POST", { line: "POST / HTTP/1.1" }],
    ["that asks for an upgrade", { fields: ["Connection: Upgrade", "Upgrade: websocket"] }],
  ])("%s", async (_, sending) => {
    await using slow = startSilent();
    using setup = await serviceAt([slow.url, slow.url]);
    const { forwarded, exchange } = send(setup, sending);
    await slow.taken(1);
    expect(setup.pauses).toEqual([]);
    await slow.say(ok("late"));
    expect([(await forwarded).outcome, exchange.attempts]).toEqual(["late", 1]);
  });

  test("unless the route says that twice does no harm", async () => {
    await using slow = startSilent();
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    using setup = await serviceAt([slow.url, well.url]);
    const policy = hedging({}, { nonIdempotent: true });
    const { forwarded } = send(setup, { line: "POST / HTTP/1.1", body: bodyOf("hello"), policy });
    await pass(setup);
    expect((await forwarded).outcome).toBe("got hello");
  });

  test("while its body is not whole, or when it is too long to be kept", async () => {
    await using slow = startSilent();
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    using setup = await serviceAt([slow.url, well.url]);
    const body = new TestBody();
    const { forwarded } = send(setup, { line: "PUT / HTTP/1.1", body });
    const feed = await body.piped;
    feed.write(Buffer.from("hel"));
    expect(setup.pauses).toEqual([]);
    feed.write(Buffer.from("lo"));
    feed.end(null);
    expect(setup.pauses).toHaveLength(1);
    await pass(setup);
    expect((await forwarded).outcome).toBe("got hello");
    send(setup, { line: "PUT / HTTP/1.1", body: bodyOf(new Uint8Array(70_000)) });
    await slow.taken(2);
    expect(setup.pauses).toHaveLength(1);
  });

  test("where there is no other endpoint", async () => {
    await using slow = startSilent();
    using setup = await serviceAt([slow.url]);
    const { forwarded, decisions } = send(setup);
    await slow.taken(1);
    await pass(setup);
    await slow.say(ok("late"));
    expect([(await forwarded).outcome, decisions()]).toEqual(["late", ["hedge no_endpoint null"]]);
    expect([setup.hedges, slow.connections.length]).toEqual([["no_endpoint"], 1]);
  });

  test("when the budget of retries is spent", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([slow.url, well.url]);
    const asked: ReturnType<typeof send>[] = [];
    // In turn half of them begin with the slow one, and a hedge takes a turn.
    for (let i = 0; i < 12; i++) {
      asked.push(send(setup));
      await pass(setup, i);
    }
    await eventually(() => setup.hedges.length === 12, "hedges");
    const count = (result: string) => setup.hedges.filter((it) => it === result).length;
    expect([count("won") + count("lost"), count("budget_exhausted")]).toEqual([10, 2]);
    for (const { exchange } of asked) exchange.gone(new GatewayError("client_closed", "left"));
    await eventually(() => inFlight(setup).every((it) => it === 0), "the end");
  });

  test("beyond the share of requests that the budget is", async () => {
    await using slow = startSilent();
    await using also = startSilent();
    using setup = await serviceAt([slow.url, also.url]);
    let attempts = 0;
    for (let i = 0; i < 100; i++) {
      const { exchange, forwarded } = send(setup, { policy: hedging({}, { budgetShare: 0.2 }) });
      await pass(setup, i);
      attempts += exchange.attempts;
      await eventually(() => slow.requests.length + also.requests.length === attempts, "the attempts");
      exchange.gone(new GatewayError("client_closed", "left"));
      await forwarded;
    }
    const count = (result: string) => setup.hedges.filter((it) => it === result).length;
    expect([count("abandoned"), count("budget_exhausted")]).toEqual([20, 80]);
    expect(inFlight(setup)).toEqual([0, 0]);
  });

  test("when the service has as many requests as its breaker lets in", async () => {
    await using slow = startSilent();
    await using well = startAnswering(() => ok("well"));
    const breaker = {
      maxRequests: 2,
      maxPending: 9,
      failureRate: 1,
      minRequests: 99,
      openForMs: 1000,
      slowCallRate: null,
      slowCallMs: 0,
    };
    using setup = await serviceAt([slow.url, slow.url, well.url], { breaker });
    const [first, second] = [send(setup), send(setup)];
    await slow.taken(2);
    await pass(setup, 0);
    expect([setup.hedges, first.decisions()]).toEqual([["full"], ["hedge full null"]]);
    await slow.say(ok("late"));
    await Promise.race([first.forwarded, second.forwarded]);
    expect(first.exchange.attempts + second.exchange.attempts).toBe(2);
  });
});
