import { describe, expect, test } from "bun:test";
import { requestText } from "../../src/wire/forwarding.ts";
import { requestTimeoutMs, tellsTimeout, timeoutValue } from "../../src/wire/request-timeout.ts";
import { attemptOf, codeOf, exchangeOf, parsed } from "./parts.ts";

const fieldsOf = (...lines: readonly string[]) => parsed("GET / HTTP/1.1", "Host: a", ...lines).headers;

describe("the time that a client waits", () => {
  test.each([
    ["grpc-timeout: 1H", 3_600_000],
    ["grpc-timeout: 2M", 120_000],
    ["grpc-timeout: 00000003S", 3000],
    ["grpc-timeout: 250m", 250],
    ["grpc-timeout: 1500u", 1.5],
    ["grpc-timeout: 1000000n", 1],
    ["grpc-timeout: 0m", 0],
    ["grpc-timeout: 99999999H", null],
    ["X-Request-Timeout: 2", 2000],
    ["X-Request-Timeout: 0.25", 250],
    ["X-Request-Timeout: 1.5s", 1500],
    ["X-Request-Timeout: 250ms", 250],
    ["X-Request-Timeout: 2m", 120_000],
    ["X-Request-Timeout: 1h", 3_600_000],
    ["X-Request-Timeout: 999999999", null],
    ["Accept: */*", null],
  ])("%s is %p ms", (line, ms) => {
    expect(requestTimeoutMs(fieldsOf(line))).toBe(ms);
  });

  test("is the shorter where both fields tell one", () => {
    expect(requestTimeoutMs(fieldsOf("grpc-timeout: 2S", "x-request-timeout: 1"))).toBe(1000);
    expect(requestTimeoutMs(fieldsOf("grpc-timeout: 2S", "x-request-timeout: 3"))).toBe(2000);
  });

  test.each([
    "grpc-timeout: 1",
    "grpc-timeout: 123456789m",
    "grpc-timeout: -1S",
    "grpc-timeout: 1.5S",
    "grpc-timeout: 1s",
    "grpc-timeout:",
    "x-request-timeout: -1",
    "x-request-timeout: 1e3",
    "x-request-timeout: soon",
    "x-request-timeout: 1 s",
    "x-request-timeout: .5",
    "x-request-timeout: PT5S",
    "x-request-timeout: 12345678901",
    "x-request-timeout: 1, 2",
    "x-request-timeout:",
  ])("is refused when malformed: %s", (line) => {
    expect(codeOf(() => requestTimeoutMs(fieldsOf(line)))).toBe("bad_request");
  });

  test("is refused when told twice", () => {
    expect(codeOf(() => requestTimeoutMs(fieldsOf("x-request-timeout: 1", "x-request-timeout: 1")))).toBe(
      "bad_request",
    );
  });

  test("is asked for where a field was added or removed as well", () => {
    const fields = fieldsOf("Accept: */*");
    expect([tellsTimeout(fields), tellsTimeout(fields)]).toEqual([false, false]);
    fields.add("X-Request-Timeout", "1");
    expect(tellsTimeout(fields)).toBe(true);
    fields.delete("x-request-timeout");
    expect(tellsTimeout(fields)).toBe(false);
  });
});

describe("what is left of it", () => {
  test.each([
    ["grpc-timeout", "2S", 1234.9, "1234m"],
    ["grpc-timeout", "2H", 100_000_000, "100000S"],
    ["grpc-timeout", "1u", -5, "1m"],
    ["x-request-timeout", "2", 1234.9, "1.234"],
    ["x-request-timeout", "2s", 1234.9, "1234ms"],
    ["x-request-timeout", "0.001", 0.2, "0.001"],
  ])("stands in %s, of %s with %p ms left, as %s", (name, given, leftMs, value) => {
    expect(timeoutValue(name, given, leftMs)).toBe(value);
  });

  test("goes upstream once, in the place of what came", () => {
    const exchange = exchangeOf({
      lines: ["GET / HTTP/1.1", "Host: a", "X-Request-Timeout: 60", "Grpc-Timeout: 1M", "Accept: */*"],
    });
    exchange.expiresAt = performance.now() + 30_000;
    const text = requestText(attemptOf(exchange), { length: null, isChunked: false, expectsContinue: false });
    expect(text).toContain("Accept: */*\r\n");
    expect(text.match(/^x-request-timeout: .*$/gim)).toEqual([expect.stringMatching(/^x-request-timeout: 29\.\d+$/)]);
    expect(text.match(/^grpc-timeout: .*$/gim)).toEqual([expect.stringMatching(/^grpc-timeout: 29\d\d\dm$/)]);
  });

  test.each([
    ["the attempt's own where that is less", 700, "0.7"],
    ["the route's where that is less", 9000, "5"],
    ["the route's where the attempt has none", 0, "5"],
  ])("is told by the route as %s", (_, attemptMs, value) => {
    const exchange = exchangeOf({ lines: ["GET / HTTP/1.1", "Host: a"] });
    exchange.toldMs = 5000;
    const text = requestText(attemptOf(exchange, attemptMs), { length: 0, isChunked: false, expectsContinue: false });
    expect(text).toContain(`x-request-timeout: ${value}\r\n`);
  });

  test("is not cut to an attempt's by a route that tells nothing of its own: calls may stream for longer", () => {
    const exchange = exchangeOf({ lines: ["GET / HTTP/1.1", "Host: a", "X-Request-Timeout: 60"] });
    exchange.expiresAt = performance.now() + 60_000;
    const text = requestText(attemptOf(exchange, 700), { length: 0, isChunked: false, expectsContinue: false });
    expect(text).toMatch(/x-request-timeout: (?:60|59\.\d+)\r\n/);
  });

  test("is what came, byte for byte, where nobody read it", () => {
    const exchange = exchangeOf({ lines: ["GET / HTTP/1.1", "Host: a", "X-Request-Timeout: 60"] });
    const text = requestText(attemptOf(exchange), { length: null, isChunked: false, expectsContinue: false });
    expect(text).toContain("X-Request-Timeout: 60\r\n");
  });
});
