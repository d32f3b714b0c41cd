import { describe, expect, test } from "bun:test";
import type { GatewayError } from "../../../src/errors.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { type FieldPairs, frame } from "../../support/h2-upstream.ts";
import { echo, readAll, respond } from "./answers.ts";
import { CODE, request } from "./frame-client.ts";
import { startPair } from "./pair.ts";

describe("the body of an HTTP/2 request", () => {
  test("is null where the head ended the stream, or announces nothing", async () => {
    using pair = await startPair((exchange) => respond(exchange, String(exchange.body)));
    await pair.client.headers(1, request());
    await pair.client.headers(3, request("/", [["content-length", "0"]], "POST"));
    expect((await pair.client.response(1)).body.toString()).toBe("null");
    expect((await pair.client.response(3)).body.toString()).toBe("null");
  });

  test("comes whole, of known and of unknown length, padded or not", async () => {
    using pair = await startPair((exchange) => {
      exchange.headers.set("x-length", String(exchange.body?.length));
      echo(exchange).catch(() => expect.unreachable());
    });
    await pair.client.headers(1, request("/", [["content-length", "6"]], "POST"), false);
    await pair.client.headers(3, request("/", [], "POST"), false);
    await pair.client.data(1, "abc");
    await pair.client.data(3, "xyz");
    await pair.client.data(1, "def", true);
    await pair.client.send(frame(0, 9, 3, Buffer.concat([Buffer.from([200]), Buffer.from("!"), Buffer.alloc(200)])));
    expect((await pair.client.response(1)).body.toString()).toBe("abcdef");
    expect((await pair.client.response(3)).body.toString()).toBe("xyz!");
  });

  test.each([
    ["shorter", ["ab"]],
    ["longer", ["abc", "de"]],
  ])("is reset when it is %s than its Content-Length", async (_what, pieces) => {
    const failures: unknown[] = [];
    using pair = await startPair((exchange) => {
      readAll(exchange).catch((error) => failures.push(error));
    });
    await pair.client.headers(1, request("/", [["content-length", "4"]], "POST"), false);
    for (const [i, piece] of pieces.entries()) await pair.client.data(1, piece, i === pieces.length - 1);
    expect(await pair.client.resetOf(1)).toBe(CODE.protocol);
    await pair.server.ended(1);
    expect([pair.server.done[0]?.error?.code, failures.length]).toEqual(["bad_request", 1]);
  });

  test("is reset when the head ends it before its Content-Length", async () => {
    using pair = await startPair(() => expect.unreachable());
    await pair.client.headers(1, request("/", [["content-length", "4"]], "POST"), true);
    expect((await pair.client.response(1)).status).toBe(400);
  });

  test("brings its trailers, without those that count only in a head", async () => {
    using pair = await startPair((exchange) => {
      readAll(exchange).then(
        ({ trailers }) => respond(exchange, trailers?.lines.join("|") ?? "none"),
        () => expect.unreachable(),
      );
    });
    await pair.client.headers(1, request("/", [["te", "trailers"]], "POST"), false);
    await pair.client.data(1, "abc");
    await pair.client.headers(
      1,
      [
        ["x-sum", "1"],
        ["content-length", "3"],
        ["authorization", "x"],
      ],
      true,
    );
    await pair.client.headers(3, request("/", [], "POST"), false);
    await pair.client.headers(3, [], true);
    expect((await pair.client.response(1)).body.toString()).toBe("x-sum: 1");
    expect((await pair.client.response(3)).body.toString()).toBe("none");
  });

  test("is asked for with 100 when somebody wants it, and not before", async () => {
    using pair = await startPair((exchange) => {
      if (exchange.target === "/refuse") respond(exchange, "no", 403);
      else echo(exchange).catch(() => expect.unreachable());
    });
    const expects: FieldPairs = [
      ["expect", "100-continue"],
      ["content-length", "2"],
    ];
    await pair.client.headers(1, request("/refuse", expects, "PUT"), false);
    await pair.client.headers(3, request("/take", expects, "PUT"), false);
    await pair.client.until(() => pair.client.stream(3).interim.length > 0, "the interim response");
    await pair.client.data(3, "ok", true);
    expect((await pair.client.response(3)).interim).toEqual([{ ":status": "100" }]);
    expect(await pair.client.response(1)).toMatchObject({ status: 403, interim: [] });
  });

  test("is refused when it is larger than bodies may be, announced or not", async () => {
    const onRequest = (exchange: Exchange) => {
      readAll(exchange).catch(() => {});
    };
    using pair = await startPair(onRequest, { limits: { bodyBytes: 10 } });
    await pair.client.headers(1, request("/", [["content-length", "11"]], "PUT"), false);
    expect((await pair.client.response(1)).status).toBe(413);
    await pair.client.headers(3, request("/", [], "PUT"), false);
    await pair.client.data(3, "123456");
    await pair.client.data(3, "789012");
    expect((await pair.client.response(3)).status).toBe(413);
    await pair.server.ended(2);
    expect(pair.server.done.map(({ error }) => error?.code)).toEqual(["payload_too_large", "payload_too_large"]);
  });

  test("is broken off when the client resets it", async () => {
    const failures: string[] = [];
    using pair = await startPair((exchange) => {
      exchange.onGone = ({ code }) => failures.push(code);
      readAll(exchange).catch((error: GatewayError) => failures.push(error.code));
    });
    await pair.client.headers(1, request("/", [], "PUT"), false);
    await pair.client.data(1, "abc");
    await pair.client.reset(1);
    await pair.server.ended(1);
    expect(failures).toEqual(["client_closed", "client_closed"]);
    expect(pair.server.done[0]?.bytesReceived).toBe(3);
    expect(pair.server.done[0]?.error?.code).toBe("client_closed");
  });

  test("may follow a response that came early, which is then not cut short", async () => {
    using pair = await startPair((exchange) => respond(exchange, "early"));
    await pair.client.headers(1, request("/", [["content-length", "6"]], "PUT"), false);
    expect((await pair.client.response(1)).body.toString()).toBe("early");
    await pair.client.data(1, "abcdef", true);
    await pair.client.settled();
    expect(pair.client.stream(1).reset).toBeNull();
  });

  test("is told to stop when the response came early and there is much of it, or nobody knows how much", async () => {
    using pair = await startPair((exchange) => respond(exchange, "early"));
    await pair.client.headers(1, request("/", [["content-length", "1000000"]], "PUT"), false);
    await pair.client.headers(3, request("/", [], "PUT"), false);
    expect((await pair.client.response(1)).body.toString()).toBe("early");
    expect((await pair.client.response(3)).body.toString()).toBe("early");
    expect([await pair.client.resetOf(1), await pair.client.resetOf(3)]).toEqual([CODE.no_error, CODE.no_error]);
    // What was on its way is nothing to complain of.
    await pair.client.data(1, "late");
    await pair.client.headers(3, [["x-a", "1"]], true);
    await pair.client.settled();
    expect(pair.client.goAway).toBeNull();
  });
});
