import { describe, expect, test } from "bun:test";
import { headerList } from "../../../src/wire/header-list.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { encodeFields, frame, TYPE } from "../../support/h2-upstream.ts";
import { bulkBody, readAll, respond } from "./answers.ts";
import { CODE, connectFrames, headersFrame, PREFACE, request, settingsFrame } from "./frame-client.ts";
import { startPair } from "./pair.ts";
import { serveH2 } from "./server.ts";

/** A wheel whose time is moved by hand. */
class HandWheel extends TimerWheel {
  #at: { ms: number };

  constructor() {
    const at = { ms: 1000 };
    super(() => at.ms);
    this.#at = at;
  }

  /** Lets so much time pass, in small steps, as it would. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.#at.ms += 50;
      this.advance();
    }
  }
}

const LIMITS = { headerTimeoutMs: 5000, idleTimeoutMs: 20_000 };

describe("a connection in time", () => {
  test.each([
    ["nothing", []],
    ["half a preface", [PREFACE.slice(0, 10)]],
    ["a preface without SETTINGS", [PREFACE]],
  ])("ends when %s came within the time for heads", async (_what, parts) => {
    const wheel = new HandWheel();
    using server = serveH2({ onRequest: () => expect.unreachable(), wheel, limits: LIMITS });
    using client = await connectFrames(server.port, { isSilent: true });
    await client.send(...parts);
    await client.until(() => client.frames.length > 0, "the server's SETTINGS");
    await Bun.sleep(0);
    wheel.pass(4500);
    expect(client.peer.state).toBe("open");
    wheel.pass(1000);
    expect(await client.failure()).toBe(CODE.calm);
  });

  test.each([
    ["a frame's head", headersFrame(1, request()).subarray(0, 5)],
    ["a frame", headersFrame(1, request()).subarray(0, 15)],
    ["a field block", frame(1, 1, 1, encodeFields(request()))],
  ])("ends when %s does not become whole", async (_what, bytes) => {
    const wheel = new HandWheel();
    using pair = await startPair(undefined, { wheel, limits: LIMITS });
    await pair.client.settled();
    await pair.client.send(bytes);
    await pair.client.send(frame(1, 5, 1).subarray(0, 0));
    await quiet();
    wheel.pass(6000);
    expect(await pair.client.failure()).toBe(CODE.calm);
  });

  test("goes on however often it is read in the middle of a frame", async () => {
    const wheel = new HandWheel();
    using server = serveH2({ onRequest: (exchange) => respond(exchange), wheel, limits: LIMITS });
    // Silent: whatever it said by itself would stand in the middle of a frame.
    using client = await connectFrames(server.port, { isSilent: true, opensWindows: false });
    await client.send(PREFACE, settingsFrame());
    const bytes = Buffer.concat(Array.from({ length: 20 }, (_none, i) => headersFrame(2 * i + 1, request())));
    const size = bytes.length / 20;
    let sent = 0;
    for (let i = 0; i < 20; i++) {
      const end = Math.min(bytes.length, Math.floor((i + 1) * size) + 7);
      await client.send(bytes.subarray(sent, end));
      sent = end;
      await client.response(2 * i + 1);
      wheel.pass(1000);
    }
    expect(client.goAway).toBeNull();
  });

  test("ends without a request for too long, PING or not", async () => {
    const wheel = new HandWheel();
    using pair = await startPair(undefined, { wheel, limits: LIMITS });
    await pair.client.headers(1);
    await pair.client.response(1);
    wheel.pass(15_000);
    await pair.client.settled();
    wheel.pass(6000);
    expect(await pair.client.failure()).toBe(CODE.no_error);
    expect(pair.client.goAway?.last).toBe(1);
  });

  test("does not end while a request is under way", async () => {
    const wheel = new HandWheel();
    let answer = () => {};
    using pair = await startPair((exchange) => (answer = () => respond(exchange)), { wheel, limits: LIMITS });
    await pair.client.headers(1);
    await pair.client.settled();
    wheel.pass(100_000);
    answer();
    expect((await pair.client.response(1)).status).toBe(200);
  });
});

/** Lets the server read what was sent. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  await Bun.sleep(5);
}

describe("a stream in time", () => {
  test("is refused when its body makes no progress", async () => {
    const wheel = new HandWheel();
    using pair = await startPair((exchange) => void readAll(exchange).catch(() => {}), { wheel, limits: LIMITS });
    await pair.client.headers(1, request("/", [], "PUT"), false);
    await pair.client.data(1, "a");
    await pair.client.settled();
    wheel.pass(15_000);
    await pair.client.data(1, "b");
    await pair.client.settled();
    wheel.pass(15_000);
    expect(pair.client.stream(1).status).toBe(0);
    wheel.pass(6000);
    expect((await pair.client.response(1)).status).toBe(408);
    expect(await pair.client.resetOf(1)).toBe(CODE.no_error);
  });

  test("is not blamed for silence that its reader caused", async () => {
    const wheel = new HandWheel();
    using pair = await startPair((exchange) => exchange.body?.pipe({ write: () => false, end() {}, fail() {} }), {
      wheel,
      limits: LIMITS,
    });
    await pair.client.headers(1, request("/", [], "PUT"), false);
    await pair.client.data(1, "a");
    await pair.client.settled();
    wheel.pass(100_000);
    await pair.client.settled();
    expect(pair.client.stream(1)).toMatchObject({ status: 0, reset: null });
  });

  test("is reset when the client opens no window for too long", async () => {
    const wheel = new HandWheel();
    using pair = await startPair(
      (exchange) => exchange.respond({ status: 200, reason: "", headers: headerList([]) }, bulkBody(100_000)),
      { wheel, limits: LIMITS, settings: [[4, 10]], opensWindows: false },
    );
    await pair.client.headers(1);
    await pair.client.until(() => pair.client.received(1) === 10, "the window to fill");
    wheel.pass(15_000);
    await pair.client.window(1, 10);
    await pair.client.until(() => pair.client.received(1) === 20, "the window to fill again");
    wheel.pass(15_000);
    expect(pair.client.stream(1).reset).toBeNull();
    wheel.pass(6000);
    expect(await pair.client.resetOf(1)).toBe(CODE.cancel);
    expect(pair.server.done[0]?.error).toMatchObject({
      code: "client_closed",
      message: "The client took nothing of the response for too long.",
    });
  });
});

describe("a connection that drains", () => {
  test("says so first, then what was the last, serves what is under way and closes", async () => {
    const answers: (() => void)[] = [];
    using pair = await startPair((exchange) => answers.push(() => respond(exchange)));
    const { client, server } = pair;
    client.answersPings = false;
    await client.headers(1);
    await client.settled();
    const [connection] = server.connections;
    connection?.drain();
    await client.until(() => client.goAway !== null, "the first GOAWAY");
    expect(client.goAway).toMatchObject({ last: 0x7fff_ffff, code: CODE.no_error });
    // On its way when the client heard of it: still served.
    await client.headers(3);
    await client.settled();
    const ping = client.frames.find(({ type, flags }) => type === TYPE.ping && flags === 0);
    await client.send(frame(TYPE.ping, 1, 0, ping?.payload ?? Buffer.alloc(8)));
    await client.until(() => client.goAways === 2, "the second GOAWAY");
    expect(client.goAway).toMatchObject({ last: 3, code: CODE.no_error });
    await client.headers(5);
    await client.settled();
    expect(answers.length).toBe(2);
    for (const answer of answers) answer();
    expect([(await client.response(1)).status, (await client.response(3)).status]).toEqual([200, 200]);
    expect(await client.failure()).toBe(CODE.no_error);
    client.peer.close();
    await client.peer.closing();
  });

  test("says what was the last after a second when the client answers no PING", async () => {
    const wheel = new HandWheel();
    using pair = await startPair(() => {}, { wheel });
    pair.client.answersPings = false;
    await pair.client.headers(1);
    await pair.client.settled();
    for (const connection of pair.server.connections) connection.drain();
    wheel.pass(1500);
    await pair.client.until(() => pair.client.goAways === 2, "the second GOAWAY");
    expect(pair.client.goAway?.last).toBe(1);
  });

  test("is served once when it is opened while the listener drains, told to go, and closed", async () => {
    // Its time stands still: behind the last response nothing is waited for.
    using server = serveH2({ onRequest: (exchange) => respond(exchange), wheel: new HandWheel() });
    server.context.isDraining = true;
    using client = await connectFrames(server.port);
    client.answersPings = false;
    await client.headers(1);
    expect((await client.response(1)).status).toBe(200);
    expect(await client.failure()).toBe(CODE.no_error);
    const told = client.frames.filter(({ type }) => type === TYPE.goaway).map(({ payload }) => payload.readUInt32BE(0));
    expect(told).toEqual([0x7fff_ffff, 1]);
  });

  test("closes at once where nothing is under way", async () => {
    using pair = await startPair();
    await pair.client.headers(1);
    await pair.client.response(1);
    for (const connection of pair.server.connections) connection.close();
    expect(await pair.client.failure()).toBe(CODE.no_error);
    expect(pair.client.goAways).toBe(1);
    pair.client.peer.close();
    await pair.client.peer.closing();
    await quiet();
    expect(pair.server.connections.size).toBe(0);
  });

  test("closes when the last stream has ended, where one is under way", async () => {
    let answer = () => {};
    using pair = await startPair((exchange) => (answer = () => respond(exchange)));
    await pair.client.headers(1);
    await pair.client.settled();
    for (const connection of pair.server.connections) connection.close();
    await pair.client.settled();
    answer();
    expect((await pair.client.response(1)).status).toBe(200);
    expect(await pair.client.failure()).toBe(CODE.no_error);
  });

  test("that has been idle is closed on demand, one in use is not", async () => {
    using pair = await startPair(() => {});
    await pair.client.settled();
    for (const connection of pair.server.connections) connection.closeIdle(performance.now() - 60_000);
    await pair.client.headers(1);
    await pair.client.settled();
    for (const connection of pair.server.connections) connection.closeIdle(Number.POSITIVE_INFINITY);
    await pair.client.settled();
    expect(pair.client.goAway).toBeNull();
    await pair.client.reset(1);
    await pair.client.settled();
    for (const connection of pair.server.connections) connection.closeIdle(Number.POSITIVE_INFINITY);
    expect(await pair.client.failure()).toBe(CODE.no_error);
  });

  test("reads on for a while behind a GOAWAY, but not for ever", async () => {
    using pair = await startPair();
    await pair.client.send(frame(TYPE.ping, 0, 5, Buffer.alloc(8)));
    expect(await pair.client.failure()).toBe(CODE.protocol);
    const sending = pair.client.send(Buffer.alloc(32 * 1024 * 1024));
    await pair.client.peer.closing();
    await sending;
    await quiet();
    expect(pair.server.connections.size).toBe(0);
  });

  test("leaves nothing behind when the client just closes", async () => {
    using pair = await startPair(() => {});
    await pair.client.send(settingsFrame(), headersFrame(1, request()));
    await pair.client.settled();
    pair.client.peer.endSending();
    await pair.client.peer.closing();
    await pair.server.ended(1);
    await quiet();
    expect([pair.server.connections.size, String(pair.server.done[0]?.error?.code)]).toEqual([0, "client_closed"]);
  });
});
