import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { RequestBody } from "../../src/wire/request-body.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { uploadPace } from "../../src/wire/upload-pace.ts";
import { authority } from "../support/certificates.ts";
import { startUpstream } from "../support/upstream.ts";
import { catchAll, startGateway, startProxy } from "../support.ts";
import { respond } from "./h2/answers.ts";
import { request } from "./h2/frame-client.ts";
import { startPair } from "./h2/pair.ts";
import { exchangeOf, RecordingSink } from "./parts.ts";

const GRACE_MS = 5000;
const RATE = 1000;
const limits = { bodyMinRate: RATE };

/** Time that stands still until it is moved. */
function stopTime() {
  const clock = { ms: performance.now() };
  const spy = spyOn(performance, "now").mockImplementation(() => clock.ms);
  undo = () => spy.mockRestore();
  return clock;
}

/** Time that goes on from later. */
function leap(ms: number): void {
  const real = performance.now.bind(performance);
  const spy = spyOn(performance, "now").mockImplementation(() => Math.max(0, real()) + ms);
  undo = () => spy.mockRestore();
}

let undo = (): void => {};
afterEach(() => {
  undo();
  undo = () => {};
});

function setup() {
  const clock = stopTime();
  const wheel = new TimerWheel();
  const exchange = exchangeOf();
  const owner = { setBodyPaused() {}, sendContinue() {}, bodyEnded() {}, bodyFailed() {} };
  const body = new RequestBody(owner, 1_000_000, { bodyBytes: null, trailerBytes: 1024 });
  body.exchange = exchange;
  body.pace = uploadPace({ wheel, limits }, exchange, (error) => body.fail(error));
  const sink = new RecordingSink();
  const pass = (ms: number) => {
    clock.ms += ms;
    wheel.advance();
  };
  return { body, sink, exchange, pass, feed: (bytes: number) => body.feed(Buffer.alloc(bytes)) };
}

describe("a body that comes more slowly than its least rate", () => {
  test("is given up after the grace, and not before", () => {
    const { body, sink, pass, feed } = setup();
    body.pipe(sink);
    feed(1);
    for (let second = 0; second < 5; second++) {
      expect(sink.endings).toEqual([]);
      feed(1);
      pass(1000);
    }
    pass(200);
    expect(sink.endings).toEqual(["request_timeout"]);
  });

  test("goes on for as long as its bytes last, however they come", () => {
    const { body, sink, pass, feed } = setup();
    body.pipe(sink);
    feed(20_000);
    for (let i = 0; i < 24; i++) pass(1000);
    expect(sink.endings).toEqual([]);
    for (let i = 0; i < 60; i++) {
      feed(RATE);
      pass(1000);
    }
    expect(sink.endings).toEqual([]);
    pass(1200);
    expect(sink.endings).toEqual(["request_timeout"]);
  });

  test("is not slow while nobody takes it", () => {
    const { body, sink, pass, feed } = setup();
    feed(1);
    pass(100 * GRACE_MS);
    sink.takesMore = false;
    body.pipe(sink);
    pass(100 * GRACE_MS);
    body.resume();
    pass(GRACE_MS - 100);
    expect(sink.endings).toEqual([]);
    feed(1);
    pass(100 * GRACE_MS);
    body.resume();
    expect(sink.endings).toEqual([]);
    pass(300);
    expect(sink.endings).toEqual(["request_timeout"]);
  });

  test("may take its time once the response has begun, and once nobody wants it", () => {
    for (const isAnswered of [true, false]) {
      const { body, sink, exchange, pass, feed } = setup();
      body.pipe(sink);
      feed(1);
      exchange.isAnswered = isAnswered;
      if (!isAnswered) body.cancel();
      pass(100 * GRACE_MS);
      expect(sink.endings).toEqual([]);
      undo();
    }
  });

  test("is bounded by nothing where there is no rate", () => {
    const parts = { wheel: new TimerWheel(), limits: { bodyMinRate: null } };
    expect(uploadPace(parts, exchangeOf(), () => {})).toBeNull();
  });
});

/** A service that waits for a whole request; `hasBody` resolves when some of a body came. */
function startReading() {
  const { promise: hasBody, resolve } = Promise.withResolvers<void>();
  const upstream = startUpstream(async (connection) => {
    await connection.head(60_000);
    await connection.peer.until(
      () => connection.peer.receivedBytes > 0 && /\r\n\r\n./s.test(connection.peer.text),
      "a body",
    );
    resolve();
    await connection.request(60_000);
  });
  return Object.assign(upstream, { hasBody });
}

describe("a client whose body trickles", () => {
  const torii = { limits: { bodyMinRate: "1KiB" } };

  test("is told 408 over HTTP/1.1, and its service is not to blame", async () => {
    await using upstream = startReading();
    await using gateway = await startProxy(upstream.url, { torii });
    using client = await gateway.connect();
    await client.send("POST /r HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 1000\r\n\r\nabc");
    await upstream.hasBody;
    leap(2 * GRACE_MS);
    const { status, body } = await client.response();
    expect([status, JSON.parse(body.toString()).type]).toEqual([408, "urn:torii:problem:request_timeout"]);
  });

  test("is told 408 over HTTP/2", async () => {
    using pair = await startPair(
      (exchange) => exchange.body?.pipe({ write: () => true, end: () => respond(exchange, "all"), fail() {} }),
      { limits },
    );
    await pair.client.headers(1, request("/", [], "POST"), false);
    await pair.client.headers(3, request("/", [], "POST"), false);
    await pair.client.data(1, "a");
    await pair.client.data(3, Buffer.alloc(16_000));
    await pair.client.settled();
    leap(2 * GRACE_MS);
    expect((await pair.client.response(1)).status).toBe(408);
    await pair.client.data(3, "", true);
    expect((await pair.client.response(3)).body.toString()).toBe("all");
  });

  test("is not to blame over HTTP/2 while what it sends beside has all of the connection's window", async () => {
    const beside = Array.from({ length: 16 }, (_, i) => 3 + 2 * i);
    using pair = await startPair(
      (exchange) =>
        exchange.body?.pipe({
          write: () => exchange.target !== "/beside",
          end: () => respond(exchange, "all"),
          fail() {},
        }),
      { limits },
    );
    await pair.client.headers(1, request("/", [], "POST"), false);
    await pair.client.data(1, "a");
    for (const id of beside) {
      await pair.client.headers(id, request("/beside", [], "POST"), false);
      for (let i = 0; i < 5; i++) await pair.client.data(id, Buffer.alloc(13_000));
    }
    await pair.client.settled();
    leap(2 * GRACE_MS);
    // Later than the wheel would have fired.
    await Bun.sleep(200);
    await pair.client.data(1, "", true);
    const { status, body } = await pair.client.response(1);
    expect([status, body.toString()]).toEqual([200, "all"]);
  });

  test("is told 408 over HTTP/3", async () => {
    await using upstream = startReading();
    const { certPath, keyPath } = authority().issue({ names: ["gw.test"], otherNames: ["IP:127.0.0.1"] });
    const tls = { certificates: [{ cert: certPath, key: keyPath }] };
    const listeners = [{ name: "https", address: "127.0.0.1", port: 0, tls, http3: "experimental" }];
    await using gateway = await startGateway({ torii: { ...torii, listeners }, routes: catchAll(upstream.url) });
    const hold = Promise.withResolvers<void>();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new Uint8Array(10));
        await hold.promise;
        controller.close();
      },
    });
    const options = { method: "POST", body, protocol: "http3", tls: { rejectUnauthorized: false } } as const;
    const response = fetch(`https://127.0.0.1:${gateway.port}/`, options);
    await upstream.hasBody;
    leap(2 * GRACE_MS);
    expect((await response).status).toBe(408);
    hold.resolve();
  });
});
