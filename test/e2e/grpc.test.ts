import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Metadata, status } from "@grpc/grpc-js";
import { authority } from "../support/certificates.ts";
import { type GrpcClient, type GrpcServer, grpcClient, startGrpcServer } from "../support/grpc.ts";
import { eventually } from "../support/load.ts";
import { startProxy, type TestGateway } from "../support.ts";

const ca = authority();
const own = ca.issue({ names: ["localhost"], otherNames: ["IP:127.0.0.1"] });

interface Side {
  readonly server: GrpcServer;
  readonly gateway: TestGateway;
  readonly client: GrpcClient;
}

/** Client, gateway and server in the clear, by prior knowledge. */
async function inTheClear(): Promise<Side> {
  const server = await startGrpcServer();
  const gateway = await startProxy(`http://127.0.0.1:${server.port}`, { service: { protocol: "h2c" } });
  return { server, gateway, client: grpcClient(`127.0.0.1:${gateway.port}`) };
}

/** All over TLS. */
async function overTls(): Promise<Side> {
  const server = await startGrpcServer(own);
  const gateway = await startProxy(`https://127.0.0.1:${server.port}`, {
    service: { protocol: "h2", tls: { ca: ca.certPath } },
    torii: {
      listeners: [
        {
          name: "https",
          address: "127.0.0.1",
          port: 0,
          tls: { certificates: [{ cert: own.certPath, key: own.keyPath }] },
        },
      ],
    },
  });
  return { server, gateway, client: grpcClient(`localhost:${gateway.port}`, ca.cert) };
}

describe.each([
  ["in the clear", inTheClear],
  ["over TLS", overTls],
])("gRPC %s", (_, open) => {
  let side: Side;
  beforeAll(async () => {
    side = await open();
  });
  afterAll(async () => {
    side.client[Symbol.dispose]();
    await side.gateway[Symbol.asyncDispose]();
    await side.server[Symbol.asyncDispose]();
  });

  test("unary: message, metadata both ways, trailing metadata", async () => {
    const metadata = new Metadata();
    metadata.set("custom-key", "custom value");
    metadata.set("custom-bin", Buffer.from([0, 200, 255]));
    const { error, reply, initial, trailing } = await side.client.unary("unary", { text: "hello", metadata });
    expect([error, reply]).toEqual([null, "hello"]);
    expect(initial?.get("initial-key")).toEqual(["initial value"]);
    expect(initial?.get("initial-bin")).toEqual([Buffer.from([0, 1, 255])]);
    expect(trailing?.get("trailing-key")).toEqual(["trailing value"]);
    const seen = side.server.seen.metadata.at(-1);
    expect(seen?.get("custom-key")).toEqual(["custom value"]);
    expect(seen?.get("custom-bin")).toEqual([Buffer.from([0, 200, 255])]);
    expect(seen?.get("x-request-id")).toHaveLength(1);
  });

  test("an error of the server's, which has trailers only", async () => {
    const { error } = await side.client.unary("fails");
    expect([error?.code, error?.details]).toEqual([status.FAILED_PRECONDITION, "no, über all: 100%"]);
    expect(error?.metadata.get("reason")).toEqual(["as asked"]);
  });

  test("a stream of replies, each as it comes", async () => {
    const { replies, error } = await side.client.serverStream("serverStream", "1000");
    expect(error).toBeNull();
    expect([replies.length, replies[0], replies[999]]).toEqual([1000, "message 0", "message 999"]);
  });

  test("a stream that fails midway: what came before it, then the error", async () => {
    const { replies, error } = await side.client.serverStream("failsMidway", "x");
    expect([replies, error?.code, error?.details]).toEqual([["first"], status.DATA_LOSS, "midway"]);
  });

  test("a stream of requests", async () => {
    const texts = Array.from({ length: 500 }, () => "x".repeat(10_000));
    const { error, reply } = await side.client.clientStream(texts);
    expect([error, reply]).toEqual([null, "500 messages, 5000000 bytes"]);
  });

  test("both at once, each reply before the next request", async () => {
    const texts = Array.from({ length: 200 }, (__, i) => `text ${i}`);
    const { error, replies } = await side.client.bidi(texts);
    expect([error, replies]).toEqual([null, texts.map((text) => `echo ${text}`)]);
  });

  test("messages of 20 MB, there and back", async () => {
    const text = "0123456789".repeat(2_000_000);
    const { error, reply } = await side.client.unary("unary", { text });
    expect(error).toBeNull();
    expect(reply === text).toBe(true);
  });

  test("a deadline reaches the server, and ends the call at the client", async () => {
    const { error } = await side.client.unary("hangs", { deadlineMs: 300 });
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
    const told = side.server.seen.deadlines.at(-1) ?? 0;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(300);
  });

  test("a cancelled call is cancelled at the server", async () => {
    const before = side.server.seen.cancelled.filter((name) => name === "hangs").length;
    const asked = side.server.seen.deadlines.length;
    const cancelled = eventually(() => side.server.seen.deadlines.length > asked, "the call to reach the server");
    const { error } = await side.client.unary("hangs", { cancelled });
    expect(error?.code).toBe(status.CANCELLED);
    const count = () => side.server.seen.cancelled.filter((name) => name === "hangs").length;
    await eventually(() => count() > before, "the server to hear of it");
  });

  test("100 calls at once share a connection", async () => {
    const calls = Array.from({ length: 100 }, (__, i) => side.client.unary("unary", { text: `call ${i}` }));
    const replies = (await Promise.all(calls)).map(({ reply }) => reply);
    expect(replies).toEqual(Array.from({ length: 100 }, (__, i) => `call ${i}`));
  });

  test("the access log has the call as it was", async () => {
    await side.client.unary("unary");
    const line = await side.gateway.logged(({ path, target }) => String(path ?? target).includes("/Unary"));
    expect(line).toMatchObject({ status: 200, protocol: "HTTP/2.0" });
  });
});

test("a gRPC service that is not there is told as UNAVAILABLE", async () => {
  const server = await startGrpcServer();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  await using gateway = await startProxy(`http://127.0.0.1:${port}`, { service: { protocol: "h2c" } });
  using client = grpcClient(`127.0.0.1:${gateway.port}`);
  expect((await client.unary("unary")).error?.code).toBe(status.UNAVAILABLE);
});
