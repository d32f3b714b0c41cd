import { expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { RepeatableBody } from "../../src/wire/repeatable-body.ts";
import { TestBody } from "./h2/upstream-support.ts";
import { RecordingSink } from "./parts.ts";

async function setup(isHeld = true) {
  const source = new TestBody();
  const body = new RepeatableBody(source, isHeld);
  const first = new RecordingSink();
  body.pipe(first);
  return { source, body, first, feed: await source.piped };
}

const bytes = (text: string) => Buffer.from(text);

test("a body that an attempt gave up is given to the next from its beginning, as often as need be", async () => {
  const { body, first, feed } = await setup();
  feed.write(bytes("he"));
  body.cancel();
  // The source was asked to pause, and had this under way.
  feed.write(bytes("ll"));
  const second = new RecordingSink();
  body.pipe(second);
  feed.write(bytes("o"));
  feed.end(null);
  body.cancel();
  const third = new RecordingSink();
  body.pipe(third);
  expect([first.text, second.text, third.text]).toEqual(["he", "hello", "hello"]);
  expect([first.endings, second.endings, third.endings]).toEqual([[], ["end"], ["end"]]);
});

test("a body of more than 64 KiB cannot be repeated, once so much has passed", async () => {
  const { body, feed } = await setup();
  feed.write(new Uint8Array(64 * 1024));
  expect(body.canRepeat).toBe(true);
  feed.write(new Uint8Array(1));
  expect(body.canRepeat).toBe(false);
});

test("a body that breaks off between two attempts fails for the next", async () => {
  const { body, feed } = await setup();
  feed.write(bytes("he"));
  body.cancel();
  feed.fail(new GatewayError("bad_request", "no chunk"));
  const second = new RecordingSink();
  body.pipe(second);
  expect(second.endings).toEqual(["bad_request"]);
});

test("a response ends repeats, but of a body that is held", async () => {
  for (const isHeld of [false, true]) {
    const { body, feed } = await setup(isHeld);
    feed.write(bytes("he"));
    body.commit();
    expect(body.canRepeat).toBe(isHeld);
  }
});

test("a body that is let go of is given up when nobody takes it, and goes on for who does", async () => {
  const left = await setup();
  left.body.cancel();
  expect(left.source.isCancelled).toBe(false);
  left.body.release();
  expect([left.source.isCancelled, left.body.canRepeat]).toEqual([true, false]);

  const taken = await setup();
  taken.body.release();
  taken.feed.write(bytes("hello"));
  expect([taken.source.isCancelled, taken.first.text]).toEqual([false, "hello"]);
  taken.body.cancel();
  expect(taken.source.isCancelled).toBe(true);
});

test("a body is read before anybody takes it as far as may be kept, and no further", async () => {
  const source = new TestBody();
  const body = new RepeatableBody(source, true);
  body.prefetch();
  const feed = await source.piped;
  expect(feed.write(bytes("x".repeat(65_535)))).toBe(true);
  expect(feed.write(bytes("y"))).toBe(false);
  const slow = new RecordingSink();
  slow.takesMore = false;
  body.pipe(slow);
  expect([slow.text.length, source.isPaused]).toEqual([65_536, true]);
  expect(feed.write(bytes("z"))).toBe(false);
  feed.end(null);
  expect([slow.text.length, slow.endings, body.isWhole]).toEqual([65_537, ["end"], false]);
});

test("a whole body is read by several at once, each from its beginning", async () => {
  const { body, first, feed } = await setup();
  let times = 0;
  body.onWhole = () => void times++;
  feed.write(bytes("hel"));
  expect(body.isWhole).toBe(false);
  feed.write(bytes("lo"));
  feed.end(null);
  expect([body.isWhole, times]).toEqual([true, 1]);
  const forks = [body.fork(), body.fork()];
  const sinks = forks.map((fork) => {
    const sink = new RecordingSink();
    fork.pipe(sink);
    return sink;
  });
  expect([first, ...sinks].map(({ text }) => text)).toEqual(["hello", "hello", "hello"]);
  // Whoever lets go of one takes nothing from the others.
  forks[0]?.cancel();
  body.release();
  const again = new RecordingSink();
  forks[1]?.pipe(again);
  expect([again.text, again.endings]).toEqual(["hello", ["end"]]);
});

test("what breaks off before anybody takes it fails with its reason", async () => {
  const source = new TestBody();
  const body = new RepeatableBody(source, true);
  body.prefetch();
  const feed = await source.piped;
  feed.write(bytes("he"));
  feed.fail(new GatewayError("bad_request", "malformed"));
  const sink = new RecordingSink();
  body.pipe(sink);
  expect([sink.text, sink.endings, body.isWhole, body.canRepeat]).toEqual(["", ["bad_request"], false, false]);
});

test("a body that comes byte by byte is kept in few pieces", async () => {
  const { body, feed } = await setup();
  for (let at = 0; at < 20_000; at++) feed.write(bytes("x"));
  body.cancel();
  let pieces = 0;
  let length = 0;
  body.pipe({
    write: (piece) => {
      pieces++;
      length += piece.length;
      return true;
    },
    end() {},
    fail() {},
  });
  expect([pieces, length]).toEqual([5, 20_000]);
});
