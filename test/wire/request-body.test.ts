import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { RequestBody, type RequestBodyLimits, type RequestBodyOwner } from "../../src/wire/request-body.ts";
import { exchangeOf, RecordingSink } from "./parts.ts";

/** What a body asks of its connection, in order. */
class RecordingOwner implements RequestBodyOwner {
  readonly calls: string[] = [];

  setBodyPaused(isPaused: boolean): void {
    this.calls.push(isPaused ? "pause" : "resume");
  }

  sendContinue(): void {
    this.calls.push("continue");
  }

  bodyEnded(): void {
    this.calls.push("ended");
  }

  bodyFailed(error: GatewayError): void {
    this.calls.push(`failed ${error.code}`);
  }
}

interface Setup extends Partial<RequestBodyLimits> {
  /** Null for chunks. */
  readonly length: number | null;
}

function open({ length, ...limits }: Setup) {
  const owner = new RecordingOwner();
  const body = new RequestBody(owner, length, { bodyBytes: null, trailerBytes: 1024, ...limits });
  const sink = new RecordingSink();
  /** Feeds text; returns what followed the body. */
  const feed = (text: string) => {
    const rest = body.feed(Buffer.from(text, "latin1"));
    return rest === null ? null : Buffer.from(rest).toString("latin1");
  };
  return { owner, body, sink, feed };
}

describe.each([
  ["of a length", 10, ["hello", "world"]],
  ["of chunks", null, ["5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"]],
] as const)("a request's body %s", (_, length, [first, second]) => {
  test("goes to its sink piece by piece, and ends once", () => {
    const { owner, body, sink, feed } = open({ length });
    body.pipe(sink);
    expect([feed(first), sink.text, sink.endings]).toEqual([null, "hello", []]);
    expect([feed(second), sink.text, sink.endings]).toEqual([null, "helloworld", ["end"]]);
    expect(body.isComplete).toBe(true);
    expect(owner.calls).toEqual(["resume", "ended"]);
  });

  test("gives back what follows it", () => {
    const { body, sink, feed } = open({ length });
    body.pipe(sink);
    feed(first);
    expect(feed(`${second}GET /`)).toBe("GET /");
    expect(feed("more")).toBe("more");
    expect(sink.text).toBe("helloworld");
  });

  test("is kept, and reading paused, until somebody takes it", () => {
    const { owner, body, sink, feed } = open({ length });
    feed(first);
    expect(owner.calls).toEqual(["pause"]);
    body.pipe(sink);
    expect([sink.pieces, owner.calls]).toEqual([["hello"], ["pause", "resume"]]);
    feed(second);
    expect([sink.text, sink.endings]).toEqual(["helloworld", ["end"]]);
  });

  test("that came whole before it was taken is given whole", () => {
    const { body, sink, feed } = open({ length });
    feed(first);
    expect(feed(`${second}next`)).toBe("next");
    body.pipe(sink);
    expect([sink.text, sink.endings]).toEqual(["helloworld", ["end"]]);
  });

  test("is kept as copies", () => {
    const { body, sink } = open({ length });
    const bytes = Buffer.from(first);
    body.feed(bytes);
    bytes.fill(0);
    body.pipe(sink);
    expect(sink.text).toBe("hello");
  });

  test("that came with the head is given without waiting, and what follows it is settled", () => {
    const { body, sink } = open({ length });
    body.prefetch(Buffer.from(`${first}${second}next`));
    body.pipe(sink);
    expect([sink.text, sink.endings]).toEqual(["helloworld", ["end"]]);
    expect(Buffer.from(body.settle() ?? []).toString()).toBe("next");
    expect(body.settle()).toBeNull();
  });

  test("that came with the head and is not taken at once is kept when it is settled", () => {
    const { owner, body, sink } = open({ length });
    body.prefetch(Buffer.from(first));
    expect(body.settle()).toBeNull();
    expect(owner.calls).toEqual(["pause"]);
    body.pipe(sink);
    expect(sink.text).toBe("hello");
  });

  test("pauses when its sink is full", () => {
    const { owner, body, sink, feed } = open({ length });
    sink.takesMore = false;
    body.pipe(sink);
    feed(first);
    expect(owner.calls).toEqual(["resume", "pause"]);
    body.resume();
    expect(owner.calls).toEqual(["resume", "pause", "resume"]);
  });

  test("pauses too when its sink is full of what was kept", () => {
    const { owner, body, sink, feed } = open({ length });
    feed(first);
    sink.takesMore = false;
    body.pipe(sink);
    expect(owner.calls.at(-1)).toBe("pause");
  });

  test("that nobody wants any more is read to its end, for the next request's sake", () => {
    const { owner, body, sink, feed } = open({ length });
    body.pipe(sink);
    body.cancel();
    feed(first);
    expect(feed(`${second}next`)).toBe("next");
    expect([sink.text, sink.endings]).toEqual(["", []]);
    expect(owner.calls).not.toContain("pause");
    expect(owner.calls.at(-1)).toBe("ended");
  });

  test("that breaks off fails for its sink and for the connection, once", () => {
    const { owner, body, sink, feed } = open({ length });
    body.pipe(sink);
    feed(first);
    body.fail(new GatewayError("client_closed", "gone"));
    body.fail(new GatewayError("internal", "again"));
    expect(sink.endings).toEqual(["client_closed"]);
    expect(owner.calls.at(-1)).toBe("failed client_closed");
    feed(second);
    expect(sink.text).toBe("hello");
  });

  test("that broke off before it was taken fails for who takes it", () => {
    const { body, sink } = open({ length });
    body.fail(new GatewayError("client_closed", "gone"));
    body.pipe(sink);
    expect(sink.endings).toEqual(["client_closed"]);
  });

  test("cannot fail after its end", () => {
    const { owner, body, sink, feed } = open({ length });
    body.pipe(sink);
    feed(first + second);
    body.fail(new GatewayError("client_closed", "gone"));
    expect(sink.endings).toEqual(["end"]);
    expect(owner.calls).not.toContain("failed client_closed");
  });

  test("may be as large as its limit and no larger, whatever its framing says", () => {
    const exact = open({ length, bodyBytes: 10 });
    exact.body.pipe(exact.sink);
    exact.feed(first + second);
    expect(exact.sink.endings).toEqual(["end"]);
    const over = open({ length, bodyBytes: 9 });
    over.body.pipe(over.sink);
    over.feed(first);
    over.feed(second);
    expect(over.sink.endings).toEqual(["payload_too_large"]);
    expect(over.sink.text).toBe("hello");
    expect(over.owner.calls.at(-1)).toBe("failed payload_too_large");
  });

  test("counts its bytes, framing apart, for the access log", () => {
    const { body, sink, feed } = open({ length });
    const exchange = exchangeOf({ body });
    body.exchange = exchange;
    body.pipe(sink);
    feed(first);
    expect(exchange.bytesReceived).toBe(5);
    feed(second);
    expect(exchange.bytesReceived).toBe(10);
  });
});

describe("a request's body of chunks", () => {
  test("ends with its trailers, when it is taken before and when it is taken after", () => {
    for (const isTakenFirst of [true, false]) {
      const { body, sink, feed } = open({ length: null });
      if (isTakenFirst) body.pipe(sink);
      feed("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
      if (!isTakenFirst) body.pipe(sink);
      expect([sink.text, sink.endings, sink.trailers?.lines]).toEqual(["a", ["end"], ["X-Sum: 1"]]);
    }
  });

  test.each([
    ["1\r\nab", "bad_request"],
    [`0\r\nX-A: ${"a".repeat(2000)}`, "headers_too_large"],
  ])("fails for %j", (text, code) => {
    const { owner, body, sink, feed } = open({ length: null });
    body.pipe(sink);
    expect(feed(text)).toBeNull();
    expect([sink.endings, owner.calls.at(-1)]).toEqual([[code], `failed ${code}`]);
  });

  test("knows no length", () => {
    expect([open({ length: null }).body.length, open({ length: 7 }).body.length]).toEqual([null, 7]);
  });
});

describe("a client that waits for a 100", () => {
  const expecting = () => {
    const parts = open({ length: 5 });
    const lines = ["POST / HTTP/1.1", "Host: gw.test", "Expect: 100-continue", "Content-Length: 5"];
    parts.body.exchange = exchangeOf({ lines, body: parts.body });
    return parts;
  };

  test("gets it when its body is taken", () => {
    const { owner, body, sink } = expecting();
    body.pipe(sink);
    expect(owner.calls).toEqual(["continue", "resume"]);
  });

  test("gets none from us when the upstream will send one", () => {
    const { owner, body, sink } = expecting();
    body.awaitsUpstreamContinue = true;
    body.pipe(sink);
    expect(owner.calls).toEqual(["resume"]);
  });

  test("gets none when it sent its body all the same", () => {
    const { owner, body, sink, feed } = expecting();
    feed("hello");
    body.pipe(sink);
    expect(owner.calls).not.toContain("continue");
    expect(sink.endings).toEqual(["end"]);
  });
});
