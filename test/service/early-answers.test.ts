import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { Ticket } from "../../src/service/concurrency-ticket.ts";
import { Contender } from "../../src/service/contender.ts";
import { createEndpoint } from "../../src/service/endpoint.ts";
import { Forward, type ForwardContext } from "../../src/service/forward.ts";
import { Retry } from "../../src/service/retry.ts";
import { HeaderList } from "../../src/wire/header-list.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { TestBody } from "../wire/h2/upstream-support.ts";
import { exchangeOf } from "../wire/parts.ts";
import { hedging } from "./hedge-support.ts";
import { serviceOptions, spec } from "./support.ts";

/** An exchange whose client has sent for a minute, and is done or not. */
function uploading(isWhole: boolean) {
  const exchange = exchangeOf({ body: new TestBody() });
  if (isWhole) exchange.requestEndedAt = performance.now() - 10;
  return exchange;
}

const longAgo = () => performance.now() - 60_000;
const head = (status: number) => ({ status, reason: "", headers: new HeaderList() });
const policy = { timeoutMs: 0, attemptTimeoutMs: null, priority: "normal", retry: null } as const;
const receiver = { onResponse() {}, onFailure() {} };

function ticketOf(exchange = uploading(false)) {
  const told: string[] = [];
  const owner = {
    answered: (ms: number) => void told.push(ms < 1000 ? "answered soon" : "answered late"),
    dropped: () => void told.push("dropped"),
    serve() {},
    left() {},
    gaveUp() {},
  };
  return { told, exchange, ticket: new Ticket(exchange, { owner, policy, receiver, start() {} }) };
}

function contextOf(observed: number[] = []): ForwardContext {
  const options = serviceOptions({ balancer: "peak_ewma" });
  const tls = () => {
    throw new Error("no TLS here");
  };
  const endpoint = createEndpoint(spec("one", "http://127.0.0.1:9"), options, {
    wheel: new TimerWheel(),
    tls,
    pending: null,
  });
  if (endpoint === null) throw new Error("no endpoint");
  const observe = (_: unknown, ms: number) => void observed.push(ms);
  return { options, policy, receiver, asker: null, endpoint, observe, trial: null, ticket: null, onRefused() {} };
}

describe("an answer that comes before the request's end", () => {
  test("tells a limit no response time, as its client's sending is none", () => {
    for (const isWhole of [false, true]) {
      const { ticket, told } = ticketOf(uploading(isWhole));
      ticket.attemptAnswered(head(200), longAgo());
      expect(told).toEqual(isWhole ? ["answered soon"] : []);
    }
  });

  test("tells a balancer none either, and a failure the least", () => {
    for (const isWhole of [false, true]) {
      const observed: number[] = [];
      const exchange = uploading(isWhole);
      const forward = new Forward(exchange, contextOf(observed));
      forward.onResponse(exchange, { head: head(200), body: null });
      expect(observed).toHaveLength(isWhole ? 1 : 0);
      forward.onFailure(exchange, new GatewayError("upstream_connect", "It failed."));
      expect(observed.at(-1)).toBe(1000);
    }
  });

  test("tells hedges none", () => {
    for (const isWhole of [false, true]) {
      const paces: number[] = [];
      const exchange = uploading(isWhole);
      const context = contextOf();
      const { retry } = hedging({ afterMs: null, share: 0.9 });
      const one = new Retry(exchange, context, {
        policy: retry,
        deps: {
          subset: "",
          budget: { count() {}, take: () => true },
          pace: { add: (ms) => void paces.push(ms), at: () => null },
          random: () => 0.5,
          delay: () => () => {},
          pick: () => null,
          onResult() {},
          onHedge() {},
        },
      });
      const { endpoint } = context;
      const contender = new Contender({ exchange, kind: "first", endpoint, body: exchange.body, owner: one });
      one.answered(contender, { head: head(200), body: null });
      expect(paces).toHaveLength(isWhole ? 1 : 0);
    }
  });
});

describe("a limit whose client has said how long it waits", () => {
  const unavailable = new HeaderList();
  unavailable.add("content-type", "application/grpc");
  unavailable.add("grpc-status", "14");
  const overloaded = [head(503), { ...head(200), headers: unavailable }];

  test.each(overloaded.map((each, index) => [index, each] as const))(
    "counts no drop once that is over: %d",
    (_, said) => {
      for (const isOver of [true, false]) {
        const { ticket, told, exchange } = ticketOf();
        exchange.expiresAt = performance.now() + (isOver ? -1 : 60_000);
        ticket.attemptAnswered(said, longAgo());
        ticket.attemptFailed(new GatewayError("upstream_timeout", "It took too long."));
        expect(told).toEqual(isOver ? [] : ["dropped", "dropped"]);
      }
    },
  );
});
