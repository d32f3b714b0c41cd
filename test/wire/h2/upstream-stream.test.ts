import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/errors.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import {
  encodeFields,
  type FieldPairs,
  frame,
  type H2Connection,
  startH2Answering,
  startH2Upstream,
  TYPE,
} from "../../support/h2-upstream.ts";
import { ask, closePools, openPool, start, TestBody } from "./upstream-support.ts";

afterEach(closePools);

const OK: FieldPairs = [[":status", "200"]];
const CANCEL = 8;
const code = (payload: Buffer) => payload.readUInt32BE(0);

describe("a request to an HTTP/2 endpoint", () => {
  test("has its fields in lower case, the gateway's among them, and none of the connection's", async () => {
    await using upstream = startH2Answering((connection, { streamId, fields }) =>
      connection.respond(streamId, JSON.stringify(fields)),
    );
    const outcome = await ask(openPool(upstream.port).pool, {
      line: "GET /a?b=c HTTP/1.1",
      fields: ["X-Mixed:  Case \t", "Connection: keep-alive", "Cookie: a=b; c=d", "TE: gzip, trailers", "X-Empty:"],
    });
    expect(JSON.parse(String(outcome).slice(4))).toEqual({
      ":method": "GET",
      ":scheme": "http",
      ":authority": "gw.test",
      ":path": "/a?b=c",
      "x-mixed": "Case",
      "x-empty": "",
      cookie: "a=b; c=d",
      te: "trailers",
      via: "1.1 torii",
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-host": "gw.test",
      "x-forwarded-port": "8080",
      "x-forwarded-proto": "http",
      forwarded: "for=192.0.2.1;host=gw.test;proto=http",
      "x-request-id": "id-1",
    });
  });

  test("says nothing of trailers when the client did not", async () => {
    await using upstream = startH2Answering((connection, { streamId, fields }) =>
      connection.respond(streamId, String("te" in fields)),
    );
    expect(await ask(openPool(upstream.port).pool, { fields: ["TE: gzip"] })).toBe("200 false");
  });

  test("goes where plugins send it", async () => {
    await using upstream = startH2Answering((connection, { streamId, fields }) =>
      connection.respond(streamId, `${fields[":method"]} ${fields[":path"]} ${fields[":authority"]} ${fields["x-a"]}`),
    );
    const { pool } = openPool(upstream.port);
    const prepare = (exchange: Exchange) => {
      exchange.upstreamMethod = "PUT";
      exchange.upstreamTarget = "/elsewhere";
      exchange.upstreamAuthority = "other.test:81";
      exchange.headers.set("X-A", "changed");
    };
    expect(await ask(pool, { fields: ["X-A: 1"] })).toBe("200 GET / gw.test 1");
    expect(await ask(pool, { fields: ["X-A: 1"], prepare })).toBe("200 PUT /elsewhere other.test:81 changed");
    expect(await ask(pool, { fields: ["X-A: 1"] })).toBe("200 GET / gw.test 1");
  });

  test.each([
    ["POST", "0"],
    ["GET", undefined],
  ])("%s without content says that its length is %p", async (method, length) => {
    await using upstream = startH2Answering((connection, { streamId, fields, isEnd }) =>
      connection.respond(streamId, `${fields["content-length"]} ${isEnd}`),
    );
    expect(await ask(openPool(upstream.port).pool, { line: `${method} / HTTP/1.1` })).toBe(`200 ${length} true`);
  });

  test("has its body, its length where it is known, and its trailers", async () => {
    const seen: string[] = [];
    await using upstream = startH2Upstream(async (connection) => {
      for (;;) {
        const { streamId, fields } = await connection.request();
        const { payload } = await connection.next(TYPE.data, streamId);
        const end = fields["content-length"] === undefined ? await connection.request() : null;
        seen.push(`${fields["content-length"]} ${payload} ${end?.fields["x-sum"]}`);
        await connection.respond(streamId, "got it");
      }
    });
    const { pool } = openPool(upstream.port);
    const plain = new TestBody(5);
    const first = ask(pool, { line: "POST / HTTP/1.1", body: plain });
    const sink = await plain.piped;
    sink.write(Buffer.from("hello"));
    sink.end(null);
    expect(await first).toBe("200 got it");
    const streamed = new TestBody();
    const second = ask(pool, { line: "POST / HTTP/1.1", body: streamed });
    const other = await streamed.piped;
    other.write(Buffer.from("hi"));
    other.end(headerList([["X-Sum", "7"]]));
    expect(await second).toBe("200 got it");
    expect(seen).toEqual(["5 hello undefined", "undefined hi 7"]);
  });

  test("waits with its body for the endpoint's windows, and goes on when they open", async () => {
    await using upstream = startH2Upstream(async () => {});
    const body = new TestBody();
    const asked = start(openPool(upstream.port).pool, { line: "POST / HTTP/1.1", body });
    const sink = await body.piped;
    const connection = await upstream.connection(0);
    const { streamId } = await connection.request();
    const piece = Buffer.alloc(40_000, "x");
    expect([sink.write(piece), sink.write(piece)]).toEqual([true, false]);
    const resumed = body.resumed();
    let bytes = 0;
    while (bytes < 65_535) bytes += (await connection.next(TYPE.data, streamId)).payload.length;
    expect(bytes).toBe(65_535);
    await connection.window(0, 100_000);
    await connection.window(streamId, 100_000);
    await resumed;
    sink.end(null);
    while (bytes < 80_000) bytes += (await connection.next(TYPE.data, streamId)).payload.length;
    await connection.respond(streamId, "all");
    expect(await asked.outcome).toBe("200 all");
  });

  test("is not sent on when the client's body breaks off: the endpoint hears of a reset", async () => {
    await using upstream = startH2Upstream(async () => {});
    const body = new TestBody();
    const asked = start(openPool(upstream.port).pool, { line: "POST / HTTP/1.1", body });
    const sink = await body.piped;
    sink.write(Buffer.from("half"));
    sink.fail(new GatewayError("bad_request", "The body broke off."));
    const connection = await upstream.connection(0);
    expect(code((await connection.next(TYPE.reset, 1)).payload)).toBe(CANCEL);
    expect(await asked.outcome).toEqual(["bad_request", null]);
  });
});

describe("a response over HTTP/2", () => {
  const respondWith = (fields: FieldPairs, body = "") =>
    startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, fields, body === "");
      if (body !== "") await connection.data(streamId, body, true);
    });

  test("reads as one of HTTP/1.1 would", async () => {
    await using upstream = respondWith([...OK, ["content-type", "text/plain"], ["x-a", "1"], ["x-a", "2"]], "text");
    const asked = start(openPool(upstream.port).pool);
    const { head } = await asked.response;
    expect([head.status, head.reason, head.headers.get("X-A")]).toEqual([200, "OK", "1, 2"]);
    expect(head.headers.lines).toEqual(["content-type: text/plain", "x-a: 1", "x-a: 2"]);
    expect(await asked.outcome).toBe("200 text");
    expect(asked.attempt.exchange.upstreamStatus).toBe(200);
  });

  test("has a length where it announced one", async () => {
    await using upstream = respondWith([...OK, ["content-length", "4"]], "text");
    const { body } = await start(openPool(upstream.port).pool).response;
    expect(body).toMatchObject({ length: 4 });
  });

  test("that comes whole is given whole, one that comes bit by bit as it comes", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      for (;;) {
        const { streamId, fields } = await connection.request();
        const head = frame(TYPE.headers, 4, streamId, encodeFields(OK));
        if (fields[":path"] === "/whole") {
          await connection.peer.send(Buffer.concat([head, frame(TYPE.data, 1, streamId, Buffer.from("text"))]));
        } else await connection.peer.send(Buffer.concat([head, frame(TYPE.data, 0, streamId, Buffer.from("te"))]));
      }
    });
    const { pool } = openPool(upstream.port);
    const whole = start(pool, { line: "GET /whole HTTP/1.1" });
    expect((await whole.response).body).toBeInstanceOf(Uint8Array);
    expect(await whole.outcome).toBe("200 text");
    const part = start(pool);
    expect((await part.response).body).not.toBeInstanceOf(Uint8Array);
    const connection = await upstream.connection(0);
    await connection.data(3, "xt", true);
    expect(await part.outcome).toBe("200 text");
  });

  test("has the length that it announced, however many of its frames come at once", async () => {
    const pieces = ["te", "xt", "!?"];
    await using upstream = startH2Upstream(async (connection) => {
      for (;;) {
        const { streamId, fields } = await connection.request();
        const atOnce = Number(fields[":path"]?.slice(1));
        const frames = pieces.map((piece, at) => frame(TYPE.data, at === 2 ? 1 : 0, streamId, Buffer.from(piece)));
        const head = frame(TYPE.headers, 4, streamId, encodeFields([...OK, ["content-length", "6"]]));
        await connection.peer.send(Buffer.concat([head, ...frames.slice(0, atOnce)]));
        await connection.settled();
        await connection.peer.send(Buffer.concat(frames.slice(atOnce)));
      }
    });
    const { pool } = openPool(upstream.port);
    for (const atOnce of [0, 1, 2, 3]) {
      const asked = start(pool, { line: `GET /${atOnce} HTTP/1.1` });
      expect((await asked.response).body).toMatchObject({ length: 6 });
      expect(await asked.outcome).toBe("200 text!?");
    }
  });

  test("that is its head alone has no body, whatever it stands for", async () => {
    await using upstream = respondWith([...OK, ["grpc-status", "5"]]);
    const asked = start(openPool(upstream.port).pool);
    expect((await asked.response).body).toBeNull();
    expect(await asked.outcome).toBe("200 (none)");
  });

  test("may have trailers", async () => {
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, OK);
      await connection.data(streamId, "text");
      await connection.headers(streamId, [["grpc-status", "0"]], true);
    });
    expect(await ask(openPool(upstream.port).pool)).toBe("200 text [grpc-status: 0]");
  });

  test("to HEAD may say a length that it does not have", async () => {
    await using upstream = respondWith([...OK, ["content-length", "99"]]);
    expect(await ask(openPool(upstream.port).pool, { line: "HEAD / HTTP/1.1" })).toBe("200 (none)");
  });

  test.each(["204", "304"])("of %s ends with an empty frame, and the connection serves on", async (status) => {
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, [[":status", status]]);
      await connection.data(streamId, "", true);
    });
    const { pool } = openPool(upstream.port);
    expect([await ask(pool), await ask(pool)]).toEqual([`${status} (none)`, `${status} (none)`]);
    expect(pool.openConnections).toBe(1);
  });

  test("may come before the request has ended; the request goes on", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      const { streamId } = await connection.request();
      await connection.headers(streamId, OK);
      for (;;) {
        const { payload, flags } = await connection.next(TYPE.data, streamId);
        await connection.data(streamId, `<${payload}>`, flags === 1);
        if (flags === 1) return;
      }
    });
    const body = new TestBody();
    const asked = start(openPool(upstream.port).pool, { line: "POST / HTTP/1.1", body });
    const sink = await body.piped;
    sink.write(Buffer.from("a"));
    await asked.response;
    sink.write(Buffer.from("b"));
    sink.end(null);
    expect(await asked.outcome).toMatch(/^200 <a><?b?>?/);
    expect(body.isCancelled).toBe(false);
  });

  test("that is whole before the request was ends the request", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      const { streamId } = await connection.request();
      await connection.headers(streamId, [[":status", "413"]], true);
    });
    const body = new TestBody();
    const { pool } = openPool(upstream.port);
    expect(await ask(pool, { line: "POST / HTTP/1.1", body })).toBe("413 (none)");
    expect([body.isCancelled, pool.inFlight]).toEqual([true, 0]);
    const connection = await upstream.connection(0);
    expect(code((await connection.next(TYPE.reset, 1)).payload)).toBe(CANCEL);
  });

  test("may have interim ones before it", async () => {
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      await connection.headers(streamId, [
        [":status", "103"],
        ["link", "</a>"],
      ]);
      await connection.headers(streamId, [[":status", "100"]]);
      await connection.respond(streamId);
    });
    const asked = start(openPool(upstream.port).pool);
    expect(await asked.outcome).toBe("200 ok");
    expect(asked.interim.map(({ status, headers }) => [status, headers.get("link")])).toEqual([[103, "</a>"]]);
  });

  test.each<[string, FieldPairs]>([
    ["no status", [["x-a", "1"]]],
    ["a status that is none", [[":status", "20"]]],
    ["a 101", [[":status", "101"]]],
    ["a name in upper case", [...OK, ["X-A", "1"]]],
    ["a field of the connection", [...OK, ["connection", "close"]]],
    ["a line end in a value", [...OK, ["x-a", "1\r\nx-b: 2"]]],
    ["a pseudo-header field of a request", [...OK, [":path", "/"]]],
    ["two different lengths", [...OK, ["content-length", "1"], ["content-length", "2"]]],
    ["a length that is none", [...OK, ["content-length", "-1"]]],
    [
      "more fields than are taken",
      [...OK, ...Array.from({ length: 40 }, (_, i) => [`x-${i}`, "v".repeat(2000)] as const)],
    ],
  ])("with %s is a fault of the endpoint's, and the connection serves on", async (_, fields) => {
    await using upstream = startH2Answering(async (connection, { streamId, fields: asked }) => {
      if (asked[":path"] === "/fine") await connection.respond(streamId);
      else await sendFields(connection, streamId, fields);
    });
    const { pool } = openPool(upstream.port);
    expect(await ask(pool)).toEqual(["upstream_protocol", "fresh"]);
    expect(await ask(pool, { line: "GET /fine HTTP/1.1" })).toBe("200 ok");
    expect(pool.openConnections).toBe(1);
  });

  test.each([
    ["shorter than", "9"],
    ["longer than", "2"],
  ])("whose body is %s it said breaks off", async (_, length) => {
    await using upstream = respondWith([...OK, ["content-length", length]], "text");
    expect(await ask(openPool(upstream.port).pool)).toEqual(["upstream_protocol", "fresh"]);
  });

  test("that nobody takes holds the endpoint back, and nobody else", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      for (;;) {
        const { streamId } = await connection.request();
        await connection.headers(streamId, OK);
        await connection.data(streamId, "first", streamId > 1);
      }
    });
    const { pool } = openPool(upstream.port);
    const slow = start(pool, { leavesBody: true });
    const { body } = await slow.response;
    expect(await ask(pool)).toBe("200 first");
    expect(pool.inFlight).toBe(1);
    if (body !== null && !(body instanceof Uint8Array)) body.cancel();
    const connection = await upstream.connection(0);
    expect(code((await connection.next(TYPE.reset, 1)).payload)).toBe(CANCEL);
    expect(pool.inFlight).toBe(0);
  });
});

/** A head in as many frames as it needs. */
async function sendFields(connection: H2Connection, streamId: number, fields: FieldPairs): Promise<void> {
  const block = encodeFields(fields);
  const max = 16_384;
  for (let at = 0; at < block.length; at += max) {
    const isLast = at + max >= block.length;
    const type = at === 0 ? TYPE.headers : 9;
    const flags = (isLast ? 4 : 0) | (at === 0 ? 1 : 0);
    await connection.peer.send(frame(type, flags, streamId, block.subarray(at, at + max)));
  }
}
