import { describe, expect, test } from "bun:test";
import type { BodySink } from "../../../src/wire/body.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import { frame, TYPE } from "../../support/h2-upstream.ts";
import { bulkBody, echo, HandBody, respond } from "./answers.ts";
import { CODE, FLAG, headersFrame, PREFACE, request, settingsFrame, uint32 } from "./frame-client.ts";
import { startPair } from "./pair.ts";

const MB = 1024 * 1024;

function stream(exchange: Exchange, body: HandBody): void {
  exchange.respond({ status: 200, reason: "", headers: headerList([]) }, body);
}

/** Takes a request's body when it is told to, so many pieces at a time. */
class HandSink implements BodySink {
  bytes = 0;
  isEnded = false;
  takesMore = true;

  write(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    return this.takesMore;
  }

  end(): void {
    this.isEnded = true;
  }

  fail(): void {}
}

describe("what a client receives", () => {
  test("is held back by its stream's window, and goes on when that is opened", async () => {
    const source = bulkBody(200_000, 30_000);
    using pair = await startPair((exchange) => stream(exchange, source), {
      settings: [[4, 1000]],
      opensWindows: false,
    });
    const { client } = pair;
    await client.headers(1);
    await client.until(() => client.received(1) === 1000, "the window to fill");
    await client.settled();
    expect([client.received(1), source.isWanted]).toEqual([1000, false]);
    await client.window(1, 29_000);
    await client.until(() => client.received(1) === 30_000, "the rest of the piece");
    await client.window(0, MB);
    await client.window(1, MB);
    expect((await client.response(1)).body.length).toBe(200_000);
  });

  test("is held back by the connection's window for all streams, of which none starves", async () => {
    using pair = await startPair((exchange) => stream(exchange, bulkBody(MB)), {
      settings: [[4, MB]],
      opensWindows: false,
    });
    const { client } = pair;
    for (const id of [1, 3, 5]) await client.headers(id);
    await client.settled();
    const total = () => client.received(1) + client.received(3) + client.received(5);
    expect(total()).toBe(65_535);
    await client.window(0, 30 * 16_384);
    await client.until(() => total() === 65_535 + 30 * 16_384, "the window to fill again");
    const parts = [1, 3, 5].map((id) => client.received(id));
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(9 * 16_384);
    await client.window(0, 4 * MB);
    for (const id of [1, 3, 5]) expect((await client.response(id)).body.length).toBe(MB);
  });

  test("follows an initial window that changes, below zero as well", async () => {
    using pair = await startPair((exchange) => stream(exchange, bulkBody(50_000)), {
      settings: [[4, 10_000]],
      opensWindows: false,
    });
    const { client } = pair;
    await client.headers(1);
    await client.until(() => client.received(1) === 10_000, "the window to fill");
    await client.send(settingsFrame([4, 4000]));
    await client.window(1, 5000);
    await client.settled();
    expect(client.received(1)).toBe(10_000);
    await client.window(1, 2000);
    await client.until(() => client.received(1) === 11_000, "what is above zero");
    await client.send(settingsFrame([4, 60_000]));
    expect((await client.response(1)).body.length).toBe(50_000);
  });

  test("comes in frames as large as the client takes", async () => {
    using pair = await startPair((exchange) => stream(exchange, bulkBody(400_000, 200_000)), {
      settings: [
        [5, 100_000],
        [4, MB],
      ],
      opensWindows: false,
    });
    const { client } = pair;
    await client.window(0, MB);
    await client.settled();
    await client.headers(1);
    expect((await client.response(1)).body.length).toBe(400_000);
    const sizes = client.frames.filter(({ type }) => type === TYPE.data).map(({ payload }) => payload.length);
    expect(Math.max(...sizes)).toBe(100_000);
  });

  test("is 100 MB without holding more than a little of it, however slowly it is read", async () => {
    const source = bulkBody(100 * MB);
    using pair = await startPair((exchange) => stream(exchange, source), {
      settings: [[4, 0x7fff_ffff]],
      opensWindows: false,
      discardsData: true,
    });
    const { client, server } = pair;
    await client.window(0, 0x7000_0000);
    await client.headers(1);
    let largest = 0;
    for (let pause = 0; pause < 20; pause++) {
      const before = client.received(1);
      await client.until(() => client.received(1) > before, "some of it");
      client.peer.pause();
      await new Promise<void>((resolve) => setImmediate(resolve));
      largest = Math.max(largest, ...[...server.connections].map(({ heldBytes }) => heldBytes));
      client.peer.resume();
    }
    await client.until(() => client.stream(1).isEnded, "all of it", 20_000);
    expect(client.received(1)).toBe(100 * MB);
    expect(largest).toBeLessThan(MB);
  });

  test("is let go when the client resets a stream that waits for its window", async () => {
    const source = bulkBody(MB);
    using pair = await startPair((exchange) => stream(exchange, source), { settings: [[4, 0]], opensWindows: false });
    await pair.client.headers(1);
    await pair.client.until(() => !source.isWanted, "the body to wait");
    await pair.client.reset(1);
    await pair.server.ended(1);
    expect([source.isCancelled, [...pair.server.connections][0]?.heldBytes]).toEqual([true, 0]);
  });
});

describe("what a client sends", () => {
  test("is taken no faster than its reader takes it", async () => {
    const sink = new HandSink();
    const exchanges: Exchange[] = [];
    sink.takesMore = false;
    using pair = await startPair((exchange) => {
      exchanges.push(exchange);
      exchange.body?.pipe(sink);
    });
    const { client } = pair;
    await client.headers(1, request("/", [], "PUT"), false);
    await client.data(1, Buffer.alloc(16_000));
    for (let i = 0; i < 3; i++) await client.data(1, Buffer.alloc(16_000));
    await client.settled();
    expect([sink.bytes, client.windows.get(1)]).toEqual([16_000, undefined]);
    sink.takesMore = true;
    exchanges[0]?.body?.resume();
    await client.settled();
    // Given back in halves of a window; the first time it grows.
    expect([sink.bytes, client.windows.get(1)]).toEqual([64_000, 48_000 + 256 * 1024 - 65_535]);
    await client.data(1, "x", true);
    await client.settled();
    expect([sink.bytes, sink.isEnded]).toEqual([64_001, true]);
  });

  test("is held, up to its window, until somebody wants it", async () => {
    const exchanges: Exchange[] = [];
    using pair = await startPair((exchange) => exchanges.push(exchange));
    const { client } = pair;
    await client.headers(1, request("/", [], "PUT"), false);
    for (let i = 0; i < 4; i++) await client.data(1, Buffer.alloc(16_000, String(i)));
    await client.data(1, "end", true);
    await client.settled();
    expect(client.windows.get(1)).toBeUndefined();
    const [exchange] = exchanges;
    if (exchange !== undefined) await echo(exchange);
    const { body } = await client.response(1);
    expect([body.length, body.subarray(-3).toString()]).toEqual([64_003, "end"]);
  });

  test("that nobody wants gives its part of the connection's window back", async () => {
    using pair = await startPair((exchange) => respond(exchange, "no"));
    const { client } = pair;
    for (let id = 1; id < 80; id += 2) {
      await client.headers(id, request("/", [["content-length", "60000"]], "PUT"), false);
      for (let i = 0; i < 4; i++) await client.data(id, Buffer.alloc(15_000), i === 3);
    }
    expect((await client.response(79)).status).toBe(200);
    await client.settled();
    // 2.4 MB came through a window of one.
    expect(client.windows.get(0)).toBeGreaterThan(2 * MB);
    expect(client.goAway).toBeNull();
  });

  test("is 100 MB on one stream, echoed while it comes", async () => {
    let left = 0;
    using pair = await startPair(
      (exchange) => {
        const { body } = exchange;
        const source = new HandBody();
        source.onWanted = () => body?.resume();
        stream(exchange, source);
        body?.pipe({
          write: (bytes) => {
            left += bytes.length;
            return source.write(bytes);
          },
          end: () => source.end(),
          fail: () => {},
        });
      },
      { discardsData: true },
    );
    const { client } = pair;
    await client.headers(1, request("/", [], "PUT"), false);
    const piece = Buffer.alloc(16_384, "x");
    let sent = 0;
    while (sent < 100 * MB) {
      const allowed = () =>
        Math.min(client.windows.get(1) ?? 0, (client.windows.get(0) ?? 0) + 65_535 - 65_535) + 65_535;
      await client.until(() => allowed() - sent >= piece.length, "the window to open");
      await client.data(1, piece);
      sent += piece.length;
    }
    await client.data(1, "", true);
    await client.until(() => client.stream(1).isEnded, "the whole echo", 20_000);
    expect([left, client.received(1)]).toEqual([100 * MB, 100 * MB]);
  }, 60_000);
});

describe("many streams", () => {
  test("of 1,000 requests are interleaved and none is mistaken for another", async () => {
    using pair = await startPair((exchange) => void echo(exchange).catch(() => {}));
    const { client } = pair;
    for (let block = 0; block < 10; block++) {
      const ids = Array.from({ length: 100 }, (_none, i) => 2 * (block * 100 + i) + 1);
      for (const id of ids) await client.headers(id, request(`/${id}`, [], "POST"), false);
      for (let part = 0; part < 3; part++) for (const id of ids) await client.data(id, `${id}.${part};`, part === 2);
      for (const id of ids) expect((await client.response(id)).body.toString()).toBe(`${id}.0;${id}.1;${id}.2;`);
    }
    expect(pair.server.done).toHaveLength(1000);
  }, 30_000);

  test("mean the same however the bytes are cut", async () => {
    const bytes = Buffer.concat([
      Buffer.from(PREFACE),
      settingsFrame([4, 100_000]),
      headersFrame(1, request("/a", [["x-a", "1"]], "POST"), false),
      frame(TYPE.data, FLAG.padded, 1, Buffer.concat([Buffer.from([7]), Buffer.from("padded"), Buffer.alloc(7)])),
      headersFrame(3, request("/b")),
      frame(TYPE.ping, 0, 0, Buffer.alloc(8)),
      frame(TYPE.data, 0, 1, Buffer.from(" and plain")),
      frame(TYPE.window, 0, 3, uint32(1)),
      frame(TYPE.data, FLAG.end_stream, 1),
    ]);
    let seed = 12_345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return seed % below;
    };
    for (let round = 0; round < 40; round++) {
      using pair = await startPair((exchange) => void echo(exchange).catch(() => {}), { isSilent: true });
      const { client } = pair;
      // The first rounds octet by octet, the others anyhow; the kernel may join them again, some of them.
      for (let at = 0; at < bytes.length; ) {
        const size = round < 3 ? 1 : 1 + random(40);
        await client.send(bytes.subarray(at, at + size));
        at += size;
        if (random(3) === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      expect((await client.response(1)).body.toString()).toBe("padded and plain");
      expect((await client.response(3)).body.length).toBe(0);
      expect(client.goAway?.code ?? CODE.no_error).toBe(CODE.no_error);
    }
  });
});
