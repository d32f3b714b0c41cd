import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { startH2Answering } from "../support/h2-upstream.ts";
import { eventually } from "../support/load.ts";
import { closedPort } from "../support/unreachable.ts";
import { ok, startAnswering, startUpstream, type UpstreamConnection } from "../support/upstream.ts";
import { TestBody } from "../wire/h2/upstream-support.ts";
import { exchangeOf } from "../wire/parts.ts";
import { bodyOf, retrying, type Setup, serviceAt } from "./retry-support.ts";
import { forward, type Sending } from "./support.ts";

const answering = (status: number, ...fields: readonly string[]) =>
  startAnswering(() => [`HTTP/1.1 ${status} Sad`, "Content-Length: 3", ...fields, "", "sad"].join("\r\n"));
const dead = () => `http://127.0.0.1:${closedPort()}`;
const POST = { line: "POST / HTTP/1.1" };

describe("a request is sent to another endpoint", () => {
  test.each([502, 503, 504])("after a %d, and nobody sees that", async (status) => {
    await using sad = answering(status);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url]);
    const { outcome, exchange } = await forward(setup.service, { policy: retrying() });
    expect([outcome, exchange.attempts, exchange.endpoint, exchange.upstreamStatus]).toEqual(["well", 2, "1", 200]);
    expect(setup.results).toEqual(["success"]);
  });

  test("when nobody listens, the connection closes, or what comes is no HTTP", async () => {
    await using closing = startUpstream(async (connection) => {
      await connection.request();
      connection.peer.close();
    });
    await using garbage = startAnswering(() => "GARBAGE\r\n\r\n");
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([dead(), closing.url, garbage.url, well.url]);
    const { outcome, exchange } = await forward(setup.service, { policy: retrying({ attempts: 3 }) });
    expect([outcome, exchange.attempts]).toEqual(["well", 4]);
    expect(setup.results).toEqual(["failure", "failure", "success"]);
  });

  test("when it does not answer within the time of an attempt", async () => {
    await using silent = startUpstream(async (connection) => void (await connection.request()));
    await using well = startAnswering(() => ok("well"));
    for (const on of [[504], ["timeout"]] as const) {
      using setup = await serviceAt([silent.url, well.url]);
      const policy = { ...retrying({ on }), attemptTimeoutMs: 60, timeoutMs: 10_000 };
      expect((await forward(setup.service, { policy })).outcome).toBe("well");
    }
  });

  test("which is named where the client named no host", async () => {
    await using sad = answering(503);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url]);
    const { exchange } = await forward(setup.service, { line: "GET / HTTP/1.0", isNameless: true, policy: retrying() });
    expect(exchange.attempts).toBe(2);
    const hosts = [sad, well].map(({ requests }) => requests[0]?.headers.find(([name]) => name === "Host")?.[1]);
    expect(hosts).toEqual([new URL(sad.url).host, new URL(well.url).host]);
  });

  test("also where the balancer chooses the first again", async () => {
    await using sad = answering(503);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url], { balancer: "random" }, 0);
    const { outcome } = await forward(setup.service, { policy: retrying() });
    expect([outcome, sad.requests.length]).toEqual(["well", 1]);
  });

  test("over HTTP/2 too, with its body", async () => {
    await using sad = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, [[":status", "503"]]);
      await connection.data(streamId, "sad", true);
    });
    await using well = startH2Answering((connection, { streamId }, body) =>
      connection.respond(streamId, `got ${body}`),
    );
    using setup = await serviceAt([sad.url, well.url], { protocol: "h2c" });
    const { outcome, exchange } = await forward(setup.service, {
      line: "PUT / HTTP/1.1",
      body: bodyOf("hel", "lo"),
      policy: retrying(),
    });
    expect([outcome, exchange.attempts]).toEqual(["got hello", 2]);
  });
});

describe("what is not safe is not sent again", () => {
  test("POST goes on only where nothing of it was sent", async () => {
    await using sad = answering(503);
    await using well = startAnswering(() => ok("well"));
    using refused = await serviceAt([dead(), well.url]);
    expect((await forward(refused.service, { ...POST, policy: retrying() })).outcome).toBe("well");
    using answered = await serviceAt([sad.url, well.url]);
    expect((await forward(answered.service, { ...POST, policy: retrying() })).outcome).toBe("sad");
  });

  test("unless the route says that twice does no harm", async () => {
    await using sad = answering(503);
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    using setup = await serviceAt([sad.url, well.url]);
    const policy = retrying({ nonIdempotent: true });
    expect((await forward(setup.service, { ...POST, body: bodyOf("hello"), policy })).outcome).toBe("got hello");
  });

  test("a body of up to 64 KiB is sent again, a longer one is not", async () => {
    await using sad = answering(503);
    await using well = startAnswering(({ body }) => ok(`got ${body.length}`));
    using setup = await serviceAt([sad.url, well.url]);
    const half = new Uint8Array(32 * 1024);
    const put = (...pieces: readonly Uint8Array[]) =>
      forward(setup.service, { line: "PUT / HTTP/1.1", body: bodyOf(...pieces), policy: retrying() });
    expect((await put(half, half)).outcome).toBe("got 65536");
    expect((await put(half, half, new Uint8Array(1))).outcome).toBe("sad");
  });

  test.each([
    ["closes", ({ peer }: UpstreamConnection) => peer.close()],
    ["answers", (connection: UpstreamConnection) => connection.send("HTTP/1.1 503 Sad\r\nContent-Length: 0\r\n\r\n")],
  ])("a body that is still on its way goes on where the endpoint %s: from its beginning", async (_, end) => {
    await using sad = startUpstream(async (connection) => {
      await connection.head();
      await end(connection);
    });
    await using well = startAnswering(({ body }) => ok(`got ${body}`));
    using setup = await serviceAt([sad.url, well.url]);
    const body = new TestBody();
    const outcome = forward(setup.service, { line: "PUT / HTTP/1.1", body, policy: retrying() });
    const feed = await body.piped;
    feed.write(Buffer.from("he"));
    const { peer } = await well.connection(0);
    await peer.until(() => peer.received.includes("he"), "the first part");
    feed.write(Buffer.from("llo"));
    feed.end(null);
    expect((await outcome).outcome).toBe("got hello");
  });

  test("nothing is, once the response has begun", async () => {
    await using breaking = startUpstream(async (connection) => {
      await connection.request();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
      connection.peer.close();
    });
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([breaking.url, well.url]);
    const { error, exchange } = await forward(setup.service, { policy: retrying() });
    expect([error?.code, exchange.attempts]).toEqual(["upstream_reset", 1]);
  });
});

describe("retries end", () => {
  test.each([
    ["of a length", "Content-Length: 3\r\n\r\nsad"],
    ["in chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\nsad\r\n0\r\n\r\n"],
  ])("after so many, with the last one's response, and keep the connection: %s", async (_, rest) => {
    await using sad = startAnswering(() => `HTTP/1.1 503 Sad\r\n${rest}`);
    using setup = await serviceAt([sad.url]);
    const { outcome, exchange } = await forward(setup.service, { policy: retrying() });
    expect([outcome, exchange.attempts, setup.results]).toEqual(["sad", 3, ["failure", "failure"]]);
    expect(sad.connections).toHaveLength(1);
  });

  test("at what the route does not name", async () => {
    await using sad = answering(500);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, dead(), well.url]);
    expect((await forward(setup.service, { policy: retrying() })).outcome).toBe("sad");
    expect((await forward(setup.service, { policy: retrying({ on: [503] }) })).outcome).toBe("upstream_connect");
  });

  test("when the budget is spent", async () => {
    await using sad = answering(503);
    using setup = await serviceAt([sad.url]);
    for (let i = 0; i < 15; i++) await forward(setup.service, { policy: retrying({ attempts: 1 }) });
    expect(sad.requests).toHaveLength(25);
    expect(setup.results.filter((result) => result === "budget_exhausted")).toHaveLength(5);
  });

  test("when the pause would not end before the route's time does", async () => {
    await using sad = answering(503);
    using setup = await serviceAt([sad.url]);
    const policy = { ...retrying({ backoffMs: 10_000 }), timeoutMs: 4000 };
    const { outcome } = await forward(setup.service, { policy });
    expect([outcome, setup.results, setup.pauses]).toEqual(["sad", ["deadline"], []]);
  });
});

describe("what was decided about retries is told, with the endpoint that failed", () => {
  const decisionsOf = async (setup: Setup, sending: Sending = {}) => {
    const { exchange } = await forward(setup.service, { policy: retrying(), ...sending });
    return exchange.decisions?.map(({ policy, outcome, about }) => `${policy} ${outcome} ${about}`) ?? null;
  };

  test("nothing of a request that went well, or whose route has none", async () => {
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([well.url]);
    expect(await decisionsOf(setup)).toBeNull();
    await using sad = answering(503);
    using other = await serviceAt([sad.url]);
    expect(await decisionsOf(other, { policy: { retry: null } })).toBeNull();
  });

  test("why each was made, and that there are no more", async () => {
    await using sad = answering(503);
    await using garbage = startAnswering(() => "GARBAGE\r\n\r\n");
    using setup = await serviceAt([dead(), sad.url, garbage.url]);
    expect(await decisionsOf(setup)).toEqual(["retry connect_failure 0", "retry 503 1", "retry attempts_exhausted 2"]);
  });

  test("why there was none", async () => {
    await using sad = answering(503);
    using setup = await serviceAt([sad.url]);
    expect(await decisionsOf(setup, POST)).toEqual(["retry not_repeatable 0"]);
    const slow = { ...retrying({ backoffMs: 10_000 }), timeoutMs: 4000 };
    expect(await decisionsOf(setup, { policy: slow })).toEqual(["retry deadline 0"]);
    for (let i = 0; i < 10; i++) await decisionsOf(setup, { policy: retrying({ attempts: 1 }) });
    expect(await decisionsOf(setup)).toEqual(["retry budget_exhausted 0"]);
  });
});

describe("an access log line tells of every attempt", () => {
  test("that it went to another zone", async () => {
    await using sad = answering(503);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url], { zone: "eu-1" });
    const { exchange } = await forward(setup.service, { policy: retrying() });
    expect(exchange.decisions?.map(({ policy, outcome }) => `${policy} ${outcome}`)).toEqual([
      "zone left",
      "retry 503",
      "zone left",
    ]);
  });
});

describe("a gRPC server that pushes back", () => {
  const busy = (pushback: string) =>
    startAnswering(() =>
      ok("", "Content-Type: application/grpc", "grpc-status: 14", `grpc-retry-pushback-ms: ${pushback}`),
    );
  const policy = retrying({ on: ["unavailable"], backoffMs: 100 });

  test("gets no more before the time that it says", async () => {
    await using sad = busy("750");
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url]);
    const outcome = forward(setup.service, { policy });
    await eventually(() => setup.pauses.length > 0, "a pause");
    setup.pauses[0]?.end();
    expect((await outcome).outcome).toBe("well");
    expect(setup.pauses.map(({ ms }) => ms)).toEqual([750]);
  });

  test("has its answer passed on where that is later than anybody waits", async () => {
    await using sad = busy("9000");
    using setup = await serviceAt([sad.url, sad.url]);
    const { exchange } = await forward(setup.service, { policy: { ...policy, timeoutMs: 5000 } });
    expect(exchange.decisions).toMatchObject([{ policy: "retry", outcome: "deadline" }]);
  });

  test.each(["-1", "never", "1.5", "999999999"])("and says %s has the last word", async (pushback) => {
    await using sad = busy(pushback);
    await using well = startAnswering(() => ok("well"));
    using setup = await serviceAt([sad.url, well.url]);
    const { exchange } = await forward(setup.service, { policy });
    expect(exchange).toMatchObject({ attempts: 1, decisions: [{ policy: "retry", outcome: "pushback", about: "0" }] });
  });
});

describe("the pause before a retry", () => {
  test("doubles, up to ten times the first, and chance shortens it", async () => {
    await using sad = answering(503);
    using setup = await serviceAt([sad.url]);
    const outcome = forward(setup.service, { policy: retrying({ attempts: 6, backoffMs: 100 }) });
    for (let i = 0; i < 6; i++) {
      await sad.taken(i + 1);
      await eventually(() => setup.pauses.length > i, "a pause");
      setup.pauses[i]?.end();
    }
    expect((await outcome).outcome).toBe("sad");
    expect(setup.pauses.map(({ ms }) => ms)).toEqual([50, 100, 200, 400, 500, 500]);
  });

  test("ends for a client that leaves: nothing more is sent, and nobody is blamed", async () => {
    await using sad = answering(503);
    using setup = await serviceAt([sad.url]);
    const exchange = exchangeOf();
    const { promise, resolve } = Promise.withResolvers<string>();
    setup.service.forward(
      exchange,
      { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal", ...retrying({ backoffMs: 100 }) },
      { onResponse: () => resolve("response"), onFailure: (_, { code }) => resolve(code) },
    );
    await eventually(() => setup.pauses.length > 0, "a pause");
    exchange.gone(new GatewayError("client_closed", "left"));
    expect(await promise).toBe("client_closed");
    expect([setup.pauses[0]?.isOff, sad.requests.length, setup.results]).toEqual([true, 1, []]);
  });
});
