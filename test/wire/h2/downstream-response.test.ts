import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../../src/errors.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import { OwnFields } from "../../../src/wire/own-fields.ts";
import { TYPE } from "../../support/h2-upstream.ts";
import { HandBody, respond } from "./answers.ts";
import { CODE, FLAG, request } from "./frame-client.ts";
import { startPair } from "./pair.ts";

const DATE = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/;

function responseOf(status: number, pairs: readonly (readonly [string, string])[], body: Uint8Array | null = null) {
  const head = { status, reason: "", headers: headerList(pairs) };
  return (exchange: Exchange) => exchange.respond(head, body);
}

describe("a response", () => {
  test("has its fields in lower case and order, a date and a length, and none of the connection's", async () => {
    using pair = await startPair(
      responseOf(
        200,
        [
          ["X-B", "2"],
          ["Connection", "close"],
          ["Keep-Alive", "timeout=5"],
          ["Transfer-Encoding", "chunked"],
          ["Upgrade", "h2c"],
          ["Content-Length", "99"],
          ["Set-Cookie", "a=1"],
          ["X-A", "1"],
        ],
        Buffer.from("hello"),
      ),
    );
    await pair.client.headers(1);
    const { fields, body } = await pair.client.response(1);
    const { date, ...rest } = fields;
    expect(Object.entries(rest)).toEqual([
      [":status", "200"],
      ["x-b", "2"],
      ["set-cookie", "a=1"],
      ["x-a", "1"],
      ["content-length", "5"],
    ]);
    expect(date).toMatch(DATE);
    expect(body.toString()).toBe("hello");
  });

  test("keeps the date that it has", async () => {
    using pair = await startPair(responseOf(200, [["Date", "Thu, 01 Jan 1970 00:00:00 GMT"]]));
    await pair.client.headers(1);
    expect((await pair.client.response(1)).fields["date"]).toBe("Thu, 01 Jan 1970 00:00:00 GMT");
  });

  test("says the same the second time, and what has changed the third", async () => {
    const shared = headerList([["X-A", "1"]]);
    let status = 200;
    using pair = await startPair((exchange) =>
      exchange.respond({ status: status++, reason: "", headers: shared }, null),
    );
    for (const id of [1, 3, 5]) {
      await pair.client.headers(id);
      const { fields, status: told } = await pair.client.response(id);
      expect([told, fields["x-a"]]).toEqual([200 + (id - 1) / 2, "1"]);
    }
  });

  test("ends with its head when it has no body", async () => {
    using pair = await startPair(responseOf(200, [["grpc-status", "5"]]));
    await pair.client.headers(1);
    const { fields, body } = await pair.client.response(1);
    expect([fields["grpc-status"], fields["content-length"], body.length]).toEqual(["5", undefined, 0]);
    const [head, ...others] = pair.client.frames.filter(({ streamId }) => streamId === 1);
    expect([head?.type, (head?.flags ?? 0) & FLAG.end_stream, others.length]).toEqual([TYPE.headers, 1, 0]);
  });

  test.each([
    ["HEAD", 200, "7"],
    ["GET", 204, undefined],
    ["GET", 304, "7"],
  ])("to %s with status %d has no body, and tells the length %s", async (method, status, length) => {
    const source = new HandBody(7);
    using pair = await startPair((exchange) => {
      const headers = headerList([["Content-Length", "7"]]);
      exchange.respond({ status, reason: "", headers }, exchange.target === "/stream" ? source : null);
    });
    await pair.client.headers(1, request("/", [], method));
    await pair.client.headers(3, request("/stream", [], method));
    for (const id of [1, 3]) {
      const { fields, body } = await pair.client.response(id);
      expect([fields["content-length"], body.length]).toEqual([length, 0]);
    }
    expect(source.isCancelled).toBe(true);
  });

  test("may follow interim ones", async () => {
    using pair = await startPair((exchange) => {
      exchange.inform({
        status: 103,
        reason: "",
        headers: headerList([
          ["Link", "</a>"],
          ["Connection", "x"],
        ]),
      });
      respond(exchange);
    });
    await pair.client.headers(1);
    const { interim, status } = await pair.client.response(1);
    expect([status, interim]).toEqual([200, [{ ":status": "103", link: "</a>" }]]);
  });

  test("streams as its body comes, and ends with its trailers", async () => {
    const source = new HandBody();
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 200, reason: "", headers: headerList([]) }, source),
    );
    await pair.client.headers(1);
    await pair.client.until(() => pair.client.stream(1).status === 200, "the head");
    source.write("one");
    await pair.client.until(() => pair.client.received(1) === 3, "the first piece");
    source.write("two");
    source.end(
      headerList([
        ["Grpc-Status", "0"],
        ["Connection", "x"],
      ]),
    );
    const { body, trailers, fields } = await pair.client.response(1);
    expect([body.toString(), trailers]).toEqual(["onetwo", { "grpc-status": "0" }]);
    expect(fields["content-length"]).toBeUndefined();
  });

  test("ends with an empty frame when there are no trailers", async () => {
    const source = new HandBody();
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 200, reason: "", headers: headerList([]) }, source),
    );
    await pair.client.headers(1);
    await pair.client.until(() => source.sink !== null, "the body");
    source.end(headerList([]));
    expect(await pair.client.response(1)).toMatchObject({ trailers: null, isEnded: true });
  });

  test("is reset when its body breaks off, and its fault is kept", async () => {
    const source = new HandBody();
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 200, reason: "", headers: headerList([]) }, source),
    );
    await pair.client.headers(1);
    await pair.client.until(() => pair.client.stream(1).status === 200, "the head");
    source.write("one");
    source.sink?.fail(new GatewayError("upstream_reset", "gone"));
    expect(await pair.client.resetOf(1)).toBe(CODE.internal);
    const [done] = pair.server.done;
    expect([String(done?.error?.code), done?.status, done?.bytesSent]).toEqual(["upstream_reset", 200, 3]);
  });

  test.each([
    ["shorter", "ab", "upstream_reset"],
    ["longer", "abcde", "internal"],
  ])("is reset when its body is %s than announced", async (_what, text, code) => {
    const source = new HandBody(4);
    using pair = await startPair((exchange) =>
      exchange.respond({ status: 200, reason: "", headers: headerList([]) }, source),
    );
    await pair.client.headers(1);
    await pair.client.until(() => pair.client.stream(1).status === 200, "the head");
    source.write(text);
    source.end();
    expect(await pair.client.resetOf(1)).toBe(CODE.internal);
    expect(String(pair.server.done[0]?.error?.code)).toBe(code);
    expect(pair.client.received(1)).toBeLessThanOrEqual(4);
  });

  test("stops being made when the client resets the stream", async () => {
    const source = new HandBody();
    const gone: string[] = [];
    using pair = await startPair((exchange) => {
      exchange.onGone = ({ code }) => gone.push(code);
      exchange.respond({ status: 200, reason: "", headers: headerList([]) }, source);
    });
    await pair.client.headers(1);
    await pair.client.until(() => pair.client.stream(1).status === 200, "the head");
    await pair.client.reset(1);
    await pair.server.ended(1);
    expect([source.isCancelled, gone, String(pair.server.done[0]?.error?.code)]).toEqual([
      true,
      ["client_closed"],
      "client_closed",
    ]);
    // Nobody is hurt by what comes too late.
    source.write("late");
    source.end();
    await pair.client.settled();
    expect(pair.client.received(1)).toBe(0);
  });

  test("is cancelled with all others when the connection goes", async () => {
    const exchanges: Exchange[] = [];
    using pair = await startPair((exchange) => exchanges.push(exchange));
    for (const id of [1, 3, 5]) await pair.client.headers(id);
    await pair.client.settled();
    const signals = exchanges.map(({ signal }) => signal);
    pair.client.peer.reset();
    await pair.server.ended(3);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    expect(pair.server.connections.size).toBe(0);
  });

  test("of a refusal to gRPC is a gRPC status without a body", async () => {
    using pair = await startPair((exchange) => exchange.refuse(new GatewayError("no_endpoint", "Nobody is there.")));
    await pair.client.headers(1, request("/a.B/C", [["content-type", "application/grpc"]], "POST"));
    await pair.client.headers(3);
    expect(await pair.client.response(1)).toMatchObject({ status: 200, fields: { "grpc-status": "14" } });
    expect((await pair.client.response(3)).status).toBe(503);
  });

  test("has the listener's own fields in the place of others' of the same name", async () => {
    using pair = await startPair((exchange) =>
      responseOf(200, [["Strict-Transport-Security", "max-age=1"]], Buffer.from("ok"))(exchange),
    );
    pair.server.context.own = new OwnFields([["Strict-Transport-Security", "max-age=9"]]);
    await pair.client.headers(1);
    expect((await pair.client.response(1)).fields["strict-transport-security"]).toBe("max-age=9");
  });

  test("with a head larger than a frame goes on in others", async () => {
    using pair = await startPair(responseOf(200, [["X-Large", "é".repeat(40_000)]], Buffer.from("ok")));
    const { client } = pair;
    await client.headers(1);
    expect((await client.response(1)).fields["x-large"]).toBe("é".repeat(40_000));
    const pieces = client.frames.filter(({ streamId, type }) => streamId === 1 && type !== TYPE.data);
    expect(pieces.map(({ type }) => type)).toEqual([TYPE.headers, ...pieces.slice(1).map(() => 9)]);
    expect(pieces.length).toBeGreaterThan(2);
    expect(Math.max(...pieces.map(({ payload }) => payload.length))).toBe(16_384);
  });
});
