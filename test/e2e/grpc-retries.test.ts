import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { status } from "@grpc/grpc-js";
import { metric } from "../gateway/support.ts";
import { type GrpcClient, type GrpcServer, grpcClient, startGrpcServer } from "../support/grpc.ts";
import { closedPort } from "../support/unreachable.ts";
import { startGateway, type TestGateway } from "../support.ts";

interface Asked extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly client: GrpcClient;
  /** Statuses of so many calls, one after the other; 0 is well. */
  calls(count: number): Promise<readonly number[]>;
}

interface Setup {
  readonly ports: readonly number[];
  readonly retry?: Readonly<Record<string, unknown>>;
  readonly service?: Readonly<Record<string, unknown>>;
}

/** A gateway before these servers, which are asked by turns, and a client. */
async function ask({ ports, retry, service }: Setup): Promise<Asked> {
  const endpoints = ports.map((port, at) => ({ id: `e${at}`, url: `http://127.0.0.1:${port}` }));
  const shop = { endpoints, protocol: "h2c", loadBalancing: { policy: "round_robin" }, ...service };
  const route = { name: "all", backends: [{ service: "shop" }], ...(retry === undefined ? {} : { retry }) };
  const gateway = await startGateway({ routes: { services: { shop }, routes: [route] } });
  // Of its own accord the client would try a call again that was refused before it was looked at.
  const client = grpcClient(`127.0.0.1:${gateway.port}`, null, { "grpc.enable_retries": 0 });
  return {
    gateway,
    client,
    async calls(count) {
      const statuses: number[] = [];
      for (let i = 0; i < count; i++) statuses.push((await client.unary("unary")).error?.code ?? 0);
      return statuses;
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

let sad: GrpcServer;
let well: GrpcServer;
beforeAll(async () => {
  sad = await startGrpcServer();
  well = await startGrpcServer();
});
afterAll(async () => {
  await sad[Symbol.asyncDispose]();
  await well[Symbol.asyncDispose]();
});
beforeEach(() => {
  sad.mood.failsWith = status.UNAVAILABLE;
});

describe("retries of gRPC calls", () => {
  test.each([
    ["unavailable", status.UNAVAILABLE],
    ["resource_exhausted", status.RESOURCE_EXHAUSTED],
    ["internal", status.INTERNAL],
    ["cancelled", status.CANCELLED],
    ["deadline_exceeded", status.DEADLINE_EXCEEDED],
  ])("are made for %s where calls may be acted on twice, and nobody sees it", async (word, code) => {
    sad.mood.failsWith = code;
    const retry = { on: [word], nonIdempotent: true, backoff: "1ms" };
    await using asked = await ask({ ports: [sad.port, well.port], retry });
    expect(await asked.calls(6)).toEqual([0, 0, 0, 0, 0, 0]);
    // The retry takes a turn as well, so that each call begins at the sad one.
    expect(await metric(asked.gateway, 'torii_retries_total{service="shop",result="success"}')).toBe(6);
  });

  test("are not made for a status that is not named", async () => {
    const retry = { on: ["internal"], nonIdempotent: true };
    await using asked = await ask({ ports: [sad.port, well.port], retry });
    expect(await asked.calls(4)).toEqual([status.UNAVAILABLE, 0, status.UNAVAILABLE, 0]);
  });

  test("are not made where the server may have acted on the call and must not twice", async () => {
    await using asked = await ask({ ports: [sad.port, well.port], retry: { on: ["unavailable"] } });
    expect(await asked.calls(4)).toEqual([status.UNAVAILABLE, 0, status.UNAVAILABLE, 0]);
  });

  test("are made wherever nothing was sent: the server is not there", async () => {
    const retry = { on: ["unavailable"], backoff: "1ms" };
    await using asked = await ask({ ports: [closedPort(), well.port], retry });
    expect(await asked.calls(6)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("end with the last server's own status", async () => {
    const retry = { on: ["unavailable"], nonIdempotent: true, backoff: "1ms" };
    await using asked = await ask({ ports: [sad.port], retry });
    const { error } = await asked.client.unary("unary");
    expect([error?.code, error?.details]).toEqual([status.UNAVAILABLE, "in a mood"]);
    expect(await asked.gateway.logged(({ route }) => route === "all")).toMatchObject({ attempts: 2, status: 200 });
  });
});

const FAULTS = [status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS, status.DEADLINE_EXCEEDED];
const NO_FAULTS = [status.INVALID_ARGUMENT, status.NOT_FOUND, status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED];

describe("the judgement of gRPC servers", () => {
  test.each(FAULTS)("takes out one that answers %d", async (code) => {
    sad.mood.failsWith = code;
    const service = { outlierDetection: { consecutiveFailures: 2 } };
    await using asked = await ask({ ports: [sad.port, well.port], service });
    expect(await asked.calls(6)).toEqual([code, 0, code, 0, 0, 0]);
    const line = await asked.gateway.logged(({ decisions }) => JSON.stringify(decisions)?.includes("ejected"));
    expect(line).toMatchObject({
      endpoint: "e0",
      decisions: [{ policy: "outlier_detection", outcome: "ejected", about: "e0" }],
    });
  });

  test.each(NO_FAULTS)("keeps one that answers %d: that is about the call", async (code) => {
    sad.mood.failsWith = code;
    const service = { outlierDetection: { consecutiveFailures: 2 } };
    await using asked = await ask({ ports: [sad.port, well.port], service });
    expect(await asked.calls(6)).toEqual([code, 0, code, 0, code, 0]);
  });

  test("keeps one that says so of a deadline that the client brought", async () => {
    sad.mood.failsWith = status.DEADLINE_EXCEEDED;
    const service = { outlierDetection: { consecutiveFailures: 1 }, circuitBreaker: { minRequests: 1 } };
    await using asked = await ask({ ports: [sad.port, well.port], service });
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) codes.push((await asked.client.unary("unary", { deadlineMs: 5000 })).error?.code);
    expect(codes).toEqual([status.DEADLINE_EXCEEDED, undefined, status.DEADLINE_EXCEEDED, undefined]);
  });

  test("opens the circuit, and tells clients UNAVAILABLE", async () => {
    sad.mood.failsWith = status.INTERNAL;
    const service = { circuitBreaker: { minRequests: 2, openFor: "1h" } };
    await using asked = await ask({ ports: [sad.port], service });
    expect(await asked.calls(4)).toEqual([status.INTERNAL, status.INTERNAL, status.UNAVAILABLE, status.UNAVAILABLE]);
    const line = await asked.gateway.logged(({ flags }) => JSON.stringify(flags) === '["circuit_open"]');
    expect(line).toMatchObject({ decisions: [{ policy: "circuit_breaker", outcome: "open", about: "shop" }] });
  });
});
