import { describe, expect, test } from "bun:test";
import { encodeFields, frame, TYPE } from "../../support/h2-upstream.ts";
import { bulkBody, HandBody, readAll } from "./answers.ts";
import { CODE, FLAG, headersFrame, request, settingsFrame, uint32 } from "./frame-client.ts";
import { startPair } from "./pair.ts";

const CONTINUATION = 9;
const GET = request();

function many(count: number, one: (i: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_none, i) => one(i)));
}

/** Floods that carry nothing on: the connection ends with ENHANCE_YOUR_CALM. */
const FLOODS: readonly (readonly [string, Buffer])[] = [
  ["PING", many(5000, () => frame(TYPE.ping, 0, 0, Buffer.alloc(8)))],
  ["SETTINGS", many(5000, () => settingsFrame([4, 65_535]))],
  ["acknowledgements", many(5000, () => frame(TYPE.settings, FLAG.ack, 0))],
  ["PRIORITY", many(5000, (i) => frame(2, 0, 2 * i + 1, Buffer.alloc(5)))],
  ["unknown frames", many(5000, () => frame(77, 0, 0))],
  ["empty DATA", Buffer.concat([headersFrame(1, GET, false), many(5000, () => frame(TYPE.data, 0, 1))])],
  ["empty CONTINUATION", Buffer.concat([frame(1, 1, 1), many(5000, () => frame(CONTINUATION, 0, 1))])],
  [
    "large CONTINUATION",
    Buffer.concat([frame(1, 1, 1), many(20, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384)))]),
  ],
  ["rapid resets", many(3000, (i) => Buffer.concat([headersFrame(2 * i + 1, GET), frame(3, 0, 2 * i + 1, uint32(8))]))],
  ["malformed requests", many(3000, (i) => headersFrame(2 * i + 1, [[":method", "GET"]]))],
  [
    "malformed trailers",
    many(3000, (i) => Buffer.concat([headersFrame(2 * i + 1, GET, false), headersFrame(2 * i + 1, GET)])),
  ],
  [
    "windows opened by nothing",
    many(3000, (i) => Buffer.concat([headersFrame(2 * i + 1, GET, false), frame(8, 0, 2 * i + 1, uint32(0))])),
  ],
  ["windows of the connection", many(5000, () => frame(TYPE.window, 0, 0, uint32(1)))],
  [
    "windows of closed streams",
    Buffer.concat([headersFrame(1, request("/now")), many(5000, () => frame(TYPE.window, 0, 1, uint32(1)))]),
  ],
  ["streams over the bound", many(5000, (i) => headersFrame(2 * i + 1, GET))],
];

describe("a flood", () => {
  test.each(FLOODS)("of %s ends the connection", async (_what, bytes) => {
    let begun = 0;
    using pair = await startPair((exchange) => {
      begun++;
      if (exchange.target === "/now") exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null);
      else if (exchange.body !== null) readAll(exchange).catch(() => {});
    });
    void pair.client.send(bytes);
    expect(await pair.client.failure()).toBe(CODE.calm);
    // Whatever was begun for it has ended.
    expect(pair.server.done.length).toBe(begun);
  });

  test("of answers that nobody reads stops being answered", async () => {
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null),
    );
    const { client } = pair;
    await client.settled();
    client.peer.pause();
    const fields = request("/", [["x-large", "a".repeat(4000)]]);
    let sent = 0;
    const flood = async () => {
      for (let id = 1; id < 80_000; id += 2) {
        await client.send(headersFrame(id, fields));
        sent++;
      }
    };
    const flooding = flood().catch(() => {});
    const before = await steady(() => sent);
    expect(before).toBeLessThan(40_000);
    expect(pair.server.done.length).toBeLessThanOrEqual(before);
    expect([...pair.server.connections][0]?.heldBytes).toBeLessThan(4 * 1024 * 1024);
    client.peer.reset();
    await flooding;
  });

  test("of tiny windows, each for a byte, ends the connection", async () => {
    using pair = await startPair(
      (exchange) => exchange.respond({ status: 200, reason: "", headers: exchange.headers }, bulkBody(100_000)),
      { settings: [[4, 0]], opensWindows: false },
    );
    await pair.client.headers(1);
    await pair.client.settled();
    void pair.client.send(many(5000, () => frame(TYPE.window, 0, 1, uint32(1))));
    expect(await pair.client.failure()).toBe(CODE.calm);
    expect(pair.client.received(1)).toBeLessThan(2000);
  });

  test("is none when every PING comes along with a request", async () => {
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null),
    );
    for (let id = 1; id < 6000; id += 2) {
      void pair.client.send(headersFrame(id, GET), frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
    }
    expect((await pair.client.response(5999, 20_000)).status).toBe(204);
    expect(pair.client.goAway).toBeNull();
  });

  test("is none when windows are opened for each small message that streams", async () => {
    const source = new HandBody();
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 200, reason: "", headers: exchange.headers }, source),
    );
    await pair.client.headers(1);
    await pair.client.until(() => source.sink !== null, "the body");
    for (let i = 1; i <= 3000; i++) {
      source.write("a small message");
      await pair.client.until(() => pair.client.received(1) === i * 15, "the message");
    }
    expect(pair.client.goAway).toBeNull();
  });

  test("of a decompression bomb is answered, and decoded no further than its bound", async () => {
    let seen = 0;
    using pair = await startPair((exchange) => {
      seen++;
      exchange.respond({ status: 204, reason: "", headers: exchange.headers }, null);
    });
    const { client } = pair;
    // One entry of 3,900 bytes, and then nothing but references to it: 46 MB in 12 KB.
    const entry = encodeFields([["x", "a".repeat(3900)]]);
    entry[0] = 0x40;
    const block = Buffer.concat([encodeFields(GET), entry, Buffer.alloc(12_000, 0xbe)]);
    await client.send(frame(1, 5, 1, block));
    expect((await client.response(1)).status).toBe(431);
    await client.headers(3);
    expect([(await client.response(3)).status, seen]).toEqual([204, 1]);
  });
});

/** The value once it has not changed for a while. */
async function steady(read: () => number): Promise<number> {
  let before = -1;
  for (let same = 0; same < 3; same = read() === before ? same + 1 : 0) {
    before = read();
    await Bun.sleep(30);
  }
  return before;
}
