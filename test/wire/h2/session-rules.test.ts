import { describe, expect, test } from "bun:test";
import { encodeFields, frame, TYPE } from "../../support/h2-upstream.ts";
import { readAll } from "./answers.ts";
import {
  CODE,
  connectFrames,
  FLAG,
  type FrameClient,
  headersFrame,
  PREFACE,
  request,
  settingsFrame,
  uint32,
} from "./frame-client.ts";
import { startPair } from "./pair.ts";
import { serveH2 } from "./server.ts";

const PRIORITY = 2;
const PUSH_PROMISE = 5;
const CONTINUATION = 9;
const HEAD = headersFrame(1, request());
const UPLOAD = headersFrame(1, request("/", [], "POST"), false);
const BLOCK = encodeFields(request());
const NEXT = headersFrame(3, request());

/** What each breaks is a rule of the connection: it ends with this code. */
const FATAL: readonly (readonly [string, number, readonly Buffer[]])[] = [
  ["DATA on stream 0", CODE.protocol, [frame(TYPE.data, 0, 0, Buffer.from("x"))]],
  ["DATA on an idle stream", CODE.protocol, [frame(TYPE.data, 0, 1, Buffer.from("x"))]],
  [
    "DATA with more padding than it has",
    CODE.protocol,
    [UPLOAD, frame(TYPE.data, FLAG.padded, 1, Buffer.from([5, 0]))],
  ],
  ["padded DATA without a pad length", CODE.frame_size, [UPLOAD, frame(TYPE.data, FLAG.padded, 1)]],
  ["HEADERS on stream 0", CODE.protocol, [headersFrame(0, request())]],
  ["HEADERS on an even stream", CODE.protocol, [headersFrame(2, request())]],
  ["HEADERS on a stream that was passed over", CODE.protocol, [headersFrame(5, request()), NEXT]],
  ["HEADERS with more padding than it has", CODE.protocol, [frame(1, FLAG.padded | 4, 1, Buffer.from([9, 0x82]))]],
  ["HEADERS too short for its priority", CODE.frame_size, [frame(1, FLAG.priority | 4, 1, Buffer.from([0, 0]))]],
  [
    "HEADERS that depends on itself",
    CODE.protocol,
    [frame(1, 32 | 5, 1, Buffer.concat([uint32(1), Buffer.from([9]), BLOCK]))],
  ],
  ["PRIORITY on stream 0", CODE.protocol, [frame(PRIORITY, 0, 0, Buffer.alloc(5))]],
  ["PRIORITY of a wrong length", CODE.frame_size, [frame(PRIORITY, 0, 1, Buffer.alloc(4))]],
  ["PRIORITY on itself", CODE.protocol, [frame(PRIORITY, 0, 3, Buffer.concat([uint32(3), Buffer.from([0])]))]],
  ["RST_STREAM on stream 0", CODE.protocol, [frame(TYPE.reset, 0, 0, uint32(8))]],
  ["RST_STREAM on an idle stream", CODE.protocol, [frame(TYPE.reset, 0, 7, uint32(8))]],
  ["RST_STREAM of a wrong length", CODE.frame_size, [HEAD, frame(TYPE.reset, 0, 1, Buffer.alloc(3))]],
  ["SETTINGS on a stream", CODE.protocol, [frame(TYPE.settings, 0, 1)]],
  ["SETTINGS of a wrong length", CODE.frame_size, [frame(TYPE.settings, 0, 0, Buffer.alloc(5))]],
  ["an acknowledgement with content", CODE.frame_size, [frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(6))]],
  ["ENABLE_PUSH of 2", CODE.protocol, [settingsFrame([2, 2])]],
  ["an initial window over 2^31 - 1", CODE.flow_control, [settingsFrame([4, 0x8000_0000])]],
  ["MAX_FRAME_SIZE under 16384", CODE.protocol, [settingsFrame([5, 16_383])]],
  ["MAX_FRAME_SIZE over 2^24 - 1", CODE.protocol, [settingsFrame([5, 0x0100_0000])]],
  ["PUSH_PROMISE", CODE.protocol, [HEAD, frame(PUSH_PROMISE, 4, 1, Buffer.concat([uint32(2), BLOCK]))]],
  ["PING on a stream", CODE.protocol, [frame(TYPE.ping, 0, 1, Buffer.alloc(8))]],
  ["PING of a wrong length", CODE.frame_size, [frame(TYPE.ping, 0, 0, Buffer.alloc(7))]],
  ["GOAWAY on a stream", CODE.protocol, [frame(TYPE.goaway, 0, 1, Buffer.alloc(8))]],
  ["GOAWAY of a wrong length", CODE.frame_size, [frame(TYPE.goaway, 0, 0, Buffer.alloc(4))]],
  ["WINDOW_UPDATE of a wrong length", CODE.frame_size, [frame(TYPE.window, 0, 0, Buffer.alloc(3))]],
  ["WINDOW_UPDATE of nothing", CODE.protocol, [frame(TYPE.window, 0, 0, uint32(0))]],
  ["WINDOW_UPDATE on an idle stream", CODE.protocol, [frame(TYPE.window, 0, 1, uint32(1))]],
  ["a window of the connection over 2^31 - 1", CODE.flow_control, [frame(TYPE.window, 0, 0, uint32(0x7fff_ffff))]],
  [
    "an initial window that lifts a stream's over 2^31 - 1",
    CODE.flow_control,
    [UPLOAD, frame(8, 0, 1, uint32(0x7fff_0000)), settingsFrame([4, 0x7fff_ffff])],
  ],
  ["CONTINUATION of nothing", CODE.protocol, [frame(CONTINUATION, 4, 1, BLOCK)]],
  ["CONTINUATION on another stream", CODE.protocol, [frame(1, 1, 1, BLOCK), frame(CONTINUATION, 4, 3)]],
  [
    "another frame within a field block",
    CODE.protocol,
    [frame(1, 1, 1, BLOCK), frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ],
  ["an unknown frame within a field block", CODE.protocol, [frame(1, 1, 1, BLOCK), frame(99, 0, 1)]],
  ["a frame over 16384 bytes", CODE.frame_size, [UPLOAD, frame(TYPE.data, 0, 1, Buffer.alloc(16_385))]],
  [
    "a field block that cannot be decoded",
    CODE.compression,
    [frame(1, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
  ],
  ["a field block that is cut off", CODE.compression, [frame(1, 5, 1, BLOCK.subarray(0, BLOCK.length - 1))]],
];

describe("a connection", () => {
  test.each(FATAL)("ends for %s with code %d", async (_what, code, frames) => {
    using pair = await startPair((exchange) => void readAll(exchange).catch(() => {}));
    await pair.client.send(...frames);
    expect(await pair.client.failure()).toBe(code);
    expect(pair.client.goAway?.text).not.toBe("");
  });

  test("ends for HEADERS on a stream that has ended", async () => {
    using pair = await startPair();
    await pair.client.headers(1);
    await pair.client.response(1);
    await pair.client.headers(1);
    expect(await pair.client.failure()).toBe(CODE.stream_closed);
  });

  test("ends for more DATA than its window takes, however many streams it is spread over", async () => {
    using pair = await startPair(() => {});
    const { client } = pair;
    const piece = frame(TYPE.data, 0, 1, Buffer.alloc(16_384));
    for (let id = 1; id <= 33; id += 2) {
      piece.writeUInt32BE(id, 5);
      await client.send(headersFrame(id, request("/", [], "POST"), false), piece, piece, piece);
      await client.send(frame(TYPE.data, 0, id, Buffer.alloc(16_383)));
    }
    expect(await client.failure()).toBe(CODE.flow_control);
  });

  test.each([
    ["PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", "a wrong preface"],
    ["GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n", "HTTP/1.1"],
  ])("ends for what begins with %j", async (text) => {
    using server = serveH2({ onRequest: () => expect.unreachable() });
    using client = await connectFrames(server.port, { isSilent: true });
    await client.send(text);
    expect(await client.failure()).toBe(CODE.protocol);
  });

  test.each([
    ["a PING", frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
    ["an acknowledgement", frame(TYPE.settings, FLAG.ack, 0)],
    ["a request", HEAD],
  ])("ends when its first frame is %s", async (_what, bytes) => {
    using server = serveH2({ onRequest: () => expect.unreachable() });
    using client = await connectFrames(server.port, { isSilent: true });
    await client.send(PREFACE, bytes);
    expect(await client.failure()).toBe(CODE.protocol);
  });

  test("says at once what it takes, and acknowledges what it is told", async () => {
    using pair = await startPair();
    await pair.client.send(settingsFrame([1, 0], [0x99, 7]));
    await pair.client.settled();
    const [first] = pair.client.frames;
    expect([first?.type, first?.flags, first?.payload.toString("hex")]).toEqual([
      TYPE.settings,
      0,
      "000300000080" + "000600004000" + "000800000001",
    ]);
    expect(pair.client.acks).toBe(2);
    expect(pair.client.windows.get(0)).toBe(1024 * 1024 - 65_535);
  });

  test("answers PING with the same bytes, and ignores unknown frames, flags and PRIORITY", async () => {
    using pair = await startPair();
    const { client } = pair;
    await client.send(
      frame(99, 255, 1, Buffer.from("what")),
      frame(PRIORITY, 0, 1, Buffer.concat([uint32(0x8000_0000), Buffer.from([255])])),
      frame(TYPE.ping, 0xf0, 0, Buffer.from("12345678")),
      frame(1, 32 | 5 | 0xd2, 1, Buffer.concat([uint32(0x8000_0003), Buffer.from([1]), BLOCK])),
    );
    expect((await client.response(1)).status).toBe(200);
    const pong = client.frames.find(({ type }) => type === TYPE.ping);
    expect([pong?.flags, pong?.payload.toString()]).toEqual([FLAG.ack, "12345678"]);
  });

  test("takes field blocks in many pieces, padded and empty ones among them", async () => {
    using pair = await startPair();
    const pieces = [...BLOCK].map((octet) => frame(CONTINUATION, 0, 1, Buffer.from([octet])));
    const head = frame(1, FLAG.end_stream | FLAG.padded, 1, Buffer.from([3, 0, 0, 0]));
    await pair.client.send(head, ...pieces, frame(CONTINUATION, 0, 1), frame(CONTINUATION, FLAG.end_headers, 1));
    expect((await pair.client.response(1)).status).toBe(200);
  });

  test("goes on without a client's GOAWAY until its streams have ended", async () => {
    let answer = () => {};
    using pair = await startPair((exchange) => {
      answer = () => exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null);
    });
    await pair.client.headers(1);
    await pair.client.send(frame(TYPE.goaway, 0, 0, uint32(0, 0)));
    await pair.client.settled();
    answer();
    expect((await pair.client.response(1)).status).toBe(204);
    expect(await pair.client.failure()).toBe(CODE.no_error);
  });

  test("refuses streams over its bound and serves the others", async () => {
    const answers: (() => void)[] = [];
    using pair = await startPair((exchange) => {
      answers.push(() => exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null));
    });
    const { client } = pair;
    for (let i = 0; i < 130; i++) await client.headers(2 * i + 1);
    expect(await client.resetOf(257)).toBe(CODE.refused);
    expect(await client.resetOf(259)).toBe(CODE.refused);
    for (const answer of answers) answer();
    expect([(await client.response(255)).status, answers.length]).toEqual([204, 128]);
    await client.headers(261);
    await client.settled();
    expect(answers.length).toBe(129);
  });
});

/** What each breaks is a rule of one stream: it is reset with this code, and the connection goes on. */
const ON_STREAM: readonly (readonly [string, number, (client: FrameClient) => Promise<void>])[] = [
  ["a window opened by nothing", CODE.protocol, (client) => client.window(1, 0)],
  ["a window over 2^31 - 1", CODE.flow_control, (client) => client.window(1, 0x7fff_ffff)],
  [
    "DATA behind its end",
    CODE.stream_closed,
    (client) => client.send(frame(0, 1, 1), frame(0, 0, 1, Buffer.from("x"))),
  ],
  ["HEADERS behind its end", CODE.stream_closed, (client) => client.send(frame(0, 1, 1), UPLOAD)],
  [
    "more DATA than its window takes",
    CODE.flow_control,
    (client) => client.send(...Array<Buffer>(5).fill(frame(0, 0, 1, Buffer.alloc(16_000)))),
  ],
];

describe("a stream", () => {
  test.each(ON_STREAM)("is reset for %s with code %d", async (_what, code, act) => {
    using pair = await startPair((exchange) => {
      if (exchange.target !== "/held") exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null);
    });
    await pair.client.send(headersFrame(1, request("/held", [], "POST"), false));
    await act(pair.client);
    expect(await pair.client.resetOf(1)).toBe(code);
    await pair.client.send(NEXT);
    expect((await pair.client.response(3)).status).toBe(204);
  });

  test("that was reset answers no more to what was on its way, unless that is DATA of one that ended", async () => {
    using pair = await startPair();
    const { client } = pair;
    await client.headers(1);
    await client.response(1);
    await client.data(1, "late");
    expect(await client.resetOf(1)).toBe(CODE.stream_closed);
    await client.window(1, 5);
    await client.reset(1);
    await client.settled();
    expect(client.goAway).toBeNull();
  });

  test("is given back what it took in padding", async () => {
    using pair = await startPair((exchange) => void readAll(exchange).catch(() => {}));
    await pair.client.send(UPLOAD);
    const padded = Buffer.alloc(256);
    padded[0] = 255;
    for (let i = 0; i < 300; i++) await pair.client.send(frame(TYPE.data, FLAG.padded, 1, padded));
    await pair.client.settled();
    expect(pair.client.windows.get(1)).toBeGreaterThan(256 * 256);
  });
});
