import { afterEach, describe, expect, test } from "bun:test";
import { Upgrade } from "../../../src/wire/upgrade.ts";
import { encodeFields, frame, startH2Upstream, TYPE } from "../../support/h2-upstream.ts";
import { respond } from "./answers.ts";
import { request } from "./frame-client.ts";
import { startPair } from "./pair.ts";
import { ask, closePools, openPool, start } from "./upstream-support.ts";

afterEach(closePools);

/** Together more than a connection's window, 1 MiB, each less than a stream's. */
const TIMES = 20;
const BYTES = Buffer.alloc(60_000, "x");
const FRAMES = [BYTES.subarray(0, 15_000), BYTES.subarray(0, 15_000), BYTES.subarray(0, 15_000)];
const ALLOWS_CONNECT = [[8, 1]] as const;
const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];

describe("what nobody reads gives the connection its window back", () => {
  test("when a WebSocket breaks off before its client has taken what came", async () => {
    await using upstream = startH2Upstream(
      async (connection) => {
        for (;;) {
          const { streamId, fields } = await connection.request();
          if (fields[":method"] === "GET") await connection.respond(streamId);
          else {
            const head = frame(TYPE.headers, 4, streamId, encodeFields([[":status", "200"]]));
            const data = FRAMES.map((bytes) => frame(TYPE.data, 0, streamId, bytes));
            await connection.peer.send(Buffer.concat([head, ...data]));
            await connection.next(TYPE.reset, streamId);
          }
        }
      },
      { settings: ALLOWS_CONNECT },
    );
    const { pool } = openPool(upstream.port);
    for (let i = 0; i < TIMES * 2; i++) {
      const { body } = await start(pool, { fields: UPGRADE, leavesBody: true }).response;
      if (!(body instanceof Upgrade)) throw new Error("no upgrade");
      await (await upstream.connection(0)).settled();
      body.cancel();
    }
    expect(await ask(pool)).toBe("200 ok");
    expect(upstream.connections).toHaveLength(1);
  });

  test("when a response is reset in the moment in which it begins", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      for (;;) {
        const { streamId, fields } = await connection.request();
        const head = frame(TYPE.headers, 4, streamId, encodeFields([[":status", "200"]]));
        const data = frame(TYPE.data, 0, streamId, BYTES.subarray(0, 16_000));
        const reset = frame(TYPE.reset, 0, streamId, Buffer.from([0, 0, 0, 2]));
        if (fields[":path"] === "/fine") await connection.respond(streamId);
        else await connection.peer.send(Buffer.concat([head, data, reset]));
      }
    });
    const { pool } = openPool(upstream.port);
    for (let i = 0; i < 80; i++) expect(await ask(pool)).toEqual(["upstream_reset", "fresh"]);
    expect(await ask(pool, { line: "GET /fine HTTP/1.1" })).toBe("200 ok");
    expect(upstream.connections).toHaveLength(1);
  });

  test("when a client sends ahead on a WebSocket that is refused", async () => {
    let answer = () => {};
    using pair = await startPair((exchange) => {
      if (exchange.upgrade === null) respond(exchange);
      else answer = () => respond(exchange, "no", 403);
    });
    const connect = request("/", [[":protocol", "websocket"]], "CONNECT");
    const pseudo = [...connect].sort(([a], [b]) => Number(b.startsWith(":")) - Number(a.startsWith(":")));
    let id = 1;
    for (let i = 0; i < TIMES * 2; i++, id += 2) {
      await pair.client.headers(id, pseudo, false);
      for (const bytes of FRAMES) await pair.client.data(id, bytes);
      await pair.client.settled();
      answer();
      await pair.client.response(id);
    }
    await pair.client.headers(id, request());
    expect((await pair.client.response(id)).status).toBe(200);
  });
});
