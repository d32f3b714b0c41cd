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
