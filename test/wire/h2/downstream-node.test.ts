import { describe, expect, test } from "bun:test";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import { bulkBody, HandBody, readAll } from "./answers.ts";
import { serveH2 } from "./server.ts";

function open(port: number): ClientHttp2Session & Disposable {
  const session = connect(`http://127.0.0.1:${port}`);
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}

interface Answer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

function answered(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let headers = {};
    let trailers = {};
    const pieces: Buffer[] = [];
    stream.on("response", (fields) => {
      headers = fields;
    });
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => resolve({ headers, trailers, body: Buffer.concat(pieces) }));
    stream.on("error", reject);
  });
}

function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders, body: string | null = null): Promise<Answer> {
  const stream = session.request(fields, { endStream: body === null });
  if (body !== null) stream.end(body);
  return answered(stream);
}

/** Sends the request's body back as it comes, then its size as a trailer. */
function echo(exchange: Exchange): void {
  const source = new HandBody();
  let bytes = 0;
  exchange.respond({ status: 200, reason: "", headers: headerList([["X-Path", exchange.target]]) }, source);
  source.onWanted = () => exchange.body?.resume();
  exchange.body?.pipe({
    write(piece) {
      bytes += piece.length;
      return source.write(piece);
    },
    end: () => source.end(headerList([["X-Bytes", String(bytes)]])),
    fail() {},
  });
}

describe("node:http2", () => {
  test("asks, uploads and reads trailers", async () => {
    using server = serveH2({ onRequest: echo });
    using session = open(server.port);
    const { headers, trailers, body } = await ask(session, { ":path": "/a?b", ":method": "POST" }, "x".repeat(300_000));
    expect([headers[":status"], headers["x-path"], trailers["x-bytes"], body.length]).toEqual([
      200,
      "/a?b",
      "300000",
      300_000,
    ]);
  });

  test("asks 1,000 times, 100 at once, and gets each its own answer", async () => {
    using server = serveH2({ onRequest: echo });
    using session = open(server.port);
    for (let first = 0; first < 1000; first += 100) {
      const ids = Array.from({ length: 100 }, (_none, i) => first + i);
      const answers = await Promise.all(
        ids.map((id) => ask(session, { ":path": `/${id}`, ":method": "PUT" }, `body ${id}`)),
      );
      const seen = answers.map(({ headers, body }) => `${headers["x-path"]} ${body}`);
      expect(seen).toEqual(ids.map((id) => `/${id} body ${id}`));
    }
  });

  test("downloads 20 MB", async () => {
    using server = serveH2({
      onRequest: (exchange) =>
        exchange.respond({ status: 200, reason: "", headers: headerList([]) }, bulkBody(20 * 1024 * 1024)),
    });
    using session = open(server.port);
    expect((await ask(session, { ":path": "/" })).body.length).toBe(20 * 1024 * 1024);
  });

  test("cancels, which reaches whoever works on the exchange", async () => {
    const gone = Promise.withResolvers<string>();
    using server = serveH2({
      onRequest: (exchange) => {
        exchange.onGone = ({ code }) => gone.resolve(code);
        readAll(exchange).catch(() => {});
      },
    });
    using session = open(server.port);
    const stream = session.request({ ":path": "/", ":method": "POST" }, { endStream: false });
    stream.on("error", () => {});
    stream.write("some");
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    stream.close(8);
    expect(await gone.promise).toBe("client_closed");
  });

  test("hears of a drain, finishes what is under way, and closes", async () => {
    const asked = Promise.withResolvers<Exchange>();
    using server = serveH2({ onRequest: (exchange) => asked.resolve(exchange) });
    using session = open(server.port);
    const answer = ask(session, { ":path": "/" });
    const exchange = await asked.promise;
    const closed = new Promise<void>((resolve) => session.on("close", resolve));
    for (const connection of server.connections) connection.close();
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    exchange.respond({ status: 200, reason: "", headers: headerList([]) }, Buffer.from("late"));
    expect((await answer).body.toString()).toBe("late");
    await closed;
  });
});
