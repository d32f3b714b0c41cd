import { expect, test } from "bun:test";
import { frame, TYPE } from "../../support/h2-upstream.ts";
import { readAll } from "./answers.ts";
import { CODE, FLAG, headersFrame, request } from "./frame-client.ts";
import { startPair } from "./pair.ts";

const POST = headersFrame(1, request("/", [], "POST"), false);

async function failureOf(flood: Buffer): Promise<number | null> {
  using pair = await startPair((exchange) => {
    if (exchange.body !== null) readAll(exchange).catch(() => {});
  });
  void pair.client.send(POST, flood);
  return await pair.client.failure();
}

test("a flood of DATA with nothing but padding ends the connection", async () => {
  const padded = frame(TYPE.data, FLAG.padded, 1, Buffer.from([0]));
  expect(await failureOf(Buffer.concat(Array.from({ length: 5000 }, () => padded)))).toBe(CODE.calm);
});

test("a flood of HEADERS on a stream that was reset ends the connection", async () => {
  const late = headersFrame(1, request("/", [], "POST"), false);
  // The first breaks a rule of the stream, which is reset; the others come late.
  expect(await failureOf(Buffer.concat(Array.from({ length: 5000 }, () => late)))).toBe(CODE.calm);
});
