import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import type { Framing } from "../../src/wire/parse-response.ts";
import { ResponseBody, type ResponseBodyOwner } from "../../src/wire/response-body.ts";
import { RecordingSink } from "./parts.ts";

/** What a body asks of its connection, in order. */
class RecordingOwner implements ResponseBodyOwner {
  readonly calls: string[] = [];

  setPaused(isPaused: boolean): void {
    this.calls.push(isPaused ? "pause" : "resume");
  }

  bodyEnded(hasMore: boolean): void {
    this.calls.push(hasMore ? "ended with more" : "ended");
  }

  bodyCancelled(): void {
    this.calls.push("cancelled");
  }

  bodyMalformed(): void {
    this.calls.push("malformed");
  }
}

function open(framing: Framing, length = -1) {
  const owner = new RecordingOwner();
  const body = new ResponseBody(owner, framing, length);
  const sink = new RecordingSink();
  return { owner, body, sink, feed: (text: string) => body.feed(Buffer.from(text, "latin1")) };
}

const reset = () => new GatewayError("upstream_reset", "gone");

describe.each([
  ["of a length", "length", 10, "hello", "world"],
  ["of chunks", "chunked", -1, "5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"],
] as const)("a response's body %s", (_, framing, length, first, second) => {
  test("goes to its sink piece by piece, and ends once", () => {
    const { owner, body, sink, feed } = open(framing, length);
    body.pipe(sink);
    feed(first);
    expect([sink.text, sink.endings, owner.calls]).toEqual(["hello", [], []]);
    feed(second);
    expect([sink.text, sink.endings, owner.calls]).toEqual(["helloworld", ["end"], ["ended"]]);
  });

  test("gives its connection back before its reader hears of the end", () => {
    const { owner, body, sink, feed } = open(framing, length);
    const order: string[] = [];
    body.pipe({
      write: (bytes) => sink.write(bytes),
      end: () => void order.push(...owner.calls, "told"),
      fail: () => void order.push("failed"),
    });
    feed(first + second);
    expect(order).toEqual(["ended", "told"]);
  });

  test("is kept, as copies, and reading paused, until somebody takes it", () => {
    const { owner, body, sink } = open(framing, length);
    const bytes = Buffer.from(first);
    body.feed(bytes);
    bytes.fill(0);
    expect(owner.calls).toEqual(["pause"]);
    body.pipe(sink);
    expect([sink.text, owner.calls]).toEqual(["hello", ["pause", "resume"]]);
  });

  test("that came whole before it was taken leaves its connection free and reading", () => {
    const { owner, body, sink, feed } = open(framing, length);
    feed(first);
    feed(second);
    expect(owner.calls).toEqual(["pause", "resume", "ended"]);
    body.pipe(sink);
    expect([sink.text, sink.endings]).toEqual(["helloworld", ["end"]]);
    expect(owner.calls).toEqual(["pause", "resume", "ended"]);
  });

  test("that came with the head is taken or kept", () => {
    const taken = open(framing, length);
    taken.body.prefetch(Buffer.from(first + second));
    taken.body.pipe(taken.sink);
    taken.body.settle();
    expect([taken.sink.text, taken.sink.endings]).toEqual(["helloworld", ["end"]]);
    const kept = open(framing, length);
    kept.body.prefetch(Buffer.from(first));
    kept.body.settle();
    kept.body.pipe(kept.sink);
    expect(kept.sink.text).toBe("hello");
  });

  test("pauses while its sink is full, and not behind its last byte", () => {
    const { owner, body, sink, feed } = open(framing, length);
    sink.takesMore = false;
    body.pipe(sink);
    feed(first);
    expect(owner.calls).toEqual(["pause"]);
    body.resume();
    feed(second);
    expect(owner.calls).toEqual(["pause", "resume", "ended"]);
  });

  test("tells that its connection sent more than the response", () => {
    const { owner, body, sink, feed } = open(framing, length);
    body.pipe(sink);
    feed(`${first + second}HTTP/1.1 200 OK`);
    expect([sink.text, owner.calls]).toEqual(["helloworld", ["ended with more"]]);
  });

  test("that nobody wants any more gives its connection up, once", () => {
    const { owner, body, sink, feed } = open(framing, length);
    body.pipe(sink);
    feed(first);
    body.cancel();
    body.cancel();
    feed(second);
    expect([sink.text, sink.endings, owner.calls]).toEqual(["hello", [], ["cancelled"]]);
  });

  test("whose end has come has nothing to give up", () => {
    const { owner, body, sink, feed } = open(framing, length);
    body.pipe(sink);
    feed(first + second);
    body.cancel();
    body.fail(reset());
    expect([sink.endings, owner.calls]).toEqual([["end"], ["ended"]]);
  });

  test("that breaks off fails, and never ends cleanly", () => {
    const { body, sink, feed } = open(framing, length);
    body.pipe(sink);
    feed(first);
    body.fail(reset());
    body.fail(reset());
    feed(second);
    expect([sink.text, sink.endings]).toEqual(["hello", ["upstream_reset"]]);
  });

  test("that broke off before it was taken gives what came, and fails", () => {
    const { body, sink, feed } = open(framing, length);
    feed(first);
    body.fail(reset());
    body.pipe(sink);
    expect([sink.text, sink.endings]).toEqual(["hello", ["upstream_reset"]]);
  });
});

describe("a response's body", () => {
  test("of chunks ends with its trailers, whenever it is taken", () => {
    for (const isTakenFirst of [true, false]) {
      const { body, sink, feed } = open("chunked");
      if (isTakenFirst) body.pipe(sink);
      feed("1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
      if (!isTakenFirst) body.pipe(sink);
      expect([sink.endings, sink.trailers?.lines]).toEqual([["end"], ["X-Sum: 1"]]);
    }
  });

  test("of broken chunks is the endpoint's fault", () => {
    const { owner, body, sink, feed } = open("chunked");
    body.pipe(sink);
    feed("5\r\nhello\r\n");
    feed("nonsense");
    expect([sink.text, sink.endings, owner.calls]).toEqual(["hello", ["upstream_protocol"], ["malformed"]]);
  });

  test("without framing ends with its connection", () => {
    const { owner, body, sink, feed } = open("close");
    body.pipe(sink);
    feed("any");
    feed("thing");
    expect([sink.text, sink.endings]).toEqual(["anything", []]);
    body.end(null);
    body.end(null);
    expect([sink.endings, owner.calls]).toEqual([["end"], ["ended"]]);
  });

  test("knows its length only where it is told", () => {
    expect([open("length", 7), open("chunked"), open("close")].map(({ body }) => body.length)).toEqual([7, null, null]);
  });

  test("is paused once, however often it is asked", () => {
    const { owner, body, sink } = open("length", 7);
    body.pipe(sink);
    for (const paused of [true, true, false, false]) paused ? body.pause() : body.resume();
    expect(owner.calls).toEqual(["pause", "resume"]);
  });
});
