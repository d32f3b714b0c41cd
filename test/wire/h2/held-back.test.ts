import { afterEach, describe, expect, test } from "bun:test";
import type { BodySource } from "../../../src/wire/body.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { startH2Upstream } from "../../support/h2-upstream.ts";
import { RecordingSink } from "../parts.ts";
import { request } from "./frame-client.ts";
import { startPair } from "./pair.ts";
import { closePools, openPool, start } from "./upstream-support.ts";

afterEach(closePools);

function slowSink(): RecordingSink {
  const sink = new RecordingSink();
  sink.takesMore = false;
  return sink;
}

describe("who is held back", () => {
  test("is not blamed for the silence of a client whose upstream takes no more, although more of the body came", async () => {
    let nowMs = 1000;
    const wheel = new TimerWheel(() => nowMs);
    const pass = (ms: number) => {
      nowMs += ms;
      wheel.advance();
    };
    const sink = slowSink();
    let body: BodySource | null = null;
    using pair = await startPair(
      (exchange) => {
        body = exchange.body;
        body?.pipe(sink);
      },
      { wheel, limits: { idleTimeoutMs: 5000 } },
    );
    await pair.client.headers(1, request("/", [], "POST"), false);
    await pair.client.data(1, "first");
    await pair.client.settled();
    await pair.client.data(1, "second");
    await pair.client.settled();
    pass(6000);
    await pair.client.settled();
    expect([sink.text, sink.endings, pair.client.stream(1).status]).toEqual(["first", [], 0]);
    sink.takesMore = true;
    (body as BodySource | null)?.resume();
    expect(sink.text).toBe("firstsecond");
    pass(6000);
    expect((await pair.client.response(1)).status).toBe(408);
  });

  test("is not blamed for the silence of an endpoint whose client takes no more, although more of the response came", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      const { streamId } = await connection.request();
      await connection.headers(streamId, [[":status", "200"]]);
      await connection.data(streamId, "first");
    });
    const { pool, pass } = openPool(upstream.port);
    const { body } = await start(pool, { leavesBody: true }).response;
    if (body === null || body instanceof Uint8Array) throw new Error("no body to wait for");
    const sink = slowSink();
    body.pipe(sink);
    const connection = await upstream.connection(0);
    await connection.settled();
    await connection.data(1, "second");
    await connection.settled();
    pass(6000);
    expect([sink.text, sink.endings]).toEqual(["first", []]);
    sink.takesMore = true;
    body.resume();
    expect(sink.text).toBe("firstsecond");
    pass(6000);
    expect(sink.endings).toEqual(["upstream_timeout"]);
  });
});
