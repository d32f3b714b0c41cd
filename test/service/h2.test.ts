import { describe, expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions, UpstreamTls } from "../../src/service/options.ts";
import { createService, type Service } from "../../src/service/service.ts";
import type { BodySource } from "../../src/wire/body.ts";
import { authority } from "../support/certificates.ts";
import { startH2Answering, startH2Upstream, TYPE } from "../support/h2-upstream.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { TestBody } from "../wire/h2/upstream-support.ts";
import { forward, serviceDeps, serviceOptions, spec } from "./support.ts";

const ca = authority();
const { cert, key } = ca.issue({ otherNames: ["IP:127.0.0.1"] });
const TLS: UpstreamTls = { caPem: ca.cert, serverName: null, certPem: null, keyPem: null };

async function serviceAt(url: string, options: Partial<ServiceOptions>): Promise<Service & Disposable> {
  const registry = createStaticRegistry({ shop: [spec("one", url)] });
  const service = createService("shop", serviceOptions(options), serviceDeps(registry));
  await service.ready;
  return Object.assign(Object.create(service), { [Symbol.dispose]: () => service.close() });
}

/** A body that is there at once. */
function bodyOf(bytes: Uint8Array): BodySource {
  const body = new TestBody();
  body.piped
    .then((sink) => {
      sink.write(bytes);
      sink.end(null);
    })
    .catch(() => {});
  return body;
}

describe("a service of protocol h2", () => {
  test("speaks HTTP/2 over TLS to endpoints that choose it", async () => {
    await using upstream = startH2Answering(
      (connection, { streamId, fields }) => connection.respond(streamId, `${fields[":scheme"]} ${fields[":path"]}`),
      { tls: { cert, key, ALPNProtocols: "\x02h2" } },
    );
    using service = await serviceAt(upstream.url, { protocol: "h2", tls: TLS });
    expect((await forward(service, { line: "GET /a HTTP/1.1" })).outcome).toBe("https /a");
    expect((await forward(service, { line: "GET /b HTTP/1.1" })).outcome).toBe("https /b");
    expect(upstream.connections).toHaveLength(1);
  });

  test("sends nothing to endpoints that do not", async () => {
    await using upstream = startAnswering(() => ok(), { tls: { cert, key } });
    using service = await serviceAt(upstream.url, { protocol: "h2", tls: TLS });
    const { error } = await forward(service);
    expect([error?.code, error?.sent]).toEqual(["upstream_connect", "nothing"]);
    expect(upstream.requests).toEqual([]);
  });
});

describe("a request that an HTTP/2 endpoint did not look at", () => {
  test.each(["GET", "POST"])("is sent once more for %s: its connection goes away", async (method) => {
    await using upstream = startH2Upstream(async (connection) => {
      const { streamId } = await connection.request(600_000);
      if (connection.index === 0) await connection.goAway(0);
      else await connection.respond(streamId, "second");
    });
    using service = await serviceAt(upstream.url, { protocol: "h2c" });
    const { outcome, exchange } = await forward(service, { line: `${method} / HTTP/1.1` });
    expect([outcome, exchange.attempts]).toEqual(["second", 2]);
  });

  test("is sent once more with its body, what has passed of it and what has not", async () => {
    const went = Promise.withResolvers<void>();
    await using upstream = startH2Upstream(async (connection) => {
      const { streamId } = await connection.request(600_000);
      if (connection.index === 0) {
        await connection.next(TYPE.data, streamId);
        await connection.goAway(0);
        return;
      }
      went.resolve();
      await connection.respond(streamId, await connection.body(streamId));
    });
    using service = await serviceAt(upstream.url, { protocol: "h2c" });
    const body = new TestBody();
    const forwarded = forward(service, { line: "POST / HTTP/1.1", body });
    const sink = await body.piped;
    sink.write(Buffer.from("before, "));
    await went.promise;
    sink.write(Buffer.from("after"));
    sink.end(null);
    const { outcome, exchange } = await forwarded;
    expect([outcome, exchange.attempts]).toEqual(["before, after", 2]);
  });

  test("is not sent once more when much of its body has passed", async () => {
    await using upstream = startH2Upstream(async (connection) => {
      const first = await connection.request(600_000);
      for (let bytes = 0; bytes < 65_535; ) bytes += (await connection.next(TYPE.data, first.streamId)).payload.length;
      await connection.goAway(0);
    });
    using service = await serviceAt(upstream.url, { protocol: "h2c" });
    const { error, exchange } = await forward(service, { line: "POST / HTTP/1.1", body: bodyOf(Buffer.alloc(70_000)) });
    expect([error?.code, error?.sent, exchange.attempts]).toEqual(["upstream_reset", "nothing", 1]);
  });

  test("is sent once more when its stream is refused, and not a third time", async () => {
    let requests = 0;
    await using upstream = startH2Answering(async (connection, { streamId }) => {
      requests++;
      await connection.reset(streamId, 7);
    });
    using service = await serviceAt(upstream.url, { protocol: "h2c" });
    const { error, exchange } = await forward(service);
    expect([error?.code, error?.sent, exchange.attempts, requests]).toEqual(["upstream_reset", "nothing", 2, 2]);
  });
});

test("an idempotent request on a kept HTTP/2 connection that breaks is sent once more", async () => {
  await using upstream = startH2Answering(async (connection, { streamId, fields }) => {
    if (fields[":path"] === "/again" && connection.index === 0) connection.peer.close();
    else await connection.respond(streamId, String(connection.index));
  });
  using service = await serviceAt(upstream.url, { protocol: "h2c" });
  expect((await forward(service)).outcome).toBe("0");
  const { outcome, exchange } = await forward(service, { line: "GET /again HTTP/1.1" });
  expect([outcome, exchange.attempts]).toEqual(["1", 2]);
});
