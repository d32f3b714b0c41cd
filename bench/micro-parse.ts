import { HeadReader } from "../src/wire/head-reader.ts";
import { type HeadLimits, parseRequest } from "../src/wire/parse-request.ts";
import { parseResponse } from "../src/wire/parse-response.ts";
import { BROWSER_HEADERS } from "./browser-headers.ts";
import { nanosPerRun } from "./measure.ts";

const LIMITS: HeadLimits = { headerBytes: 16 * 1024, headerCount: 100, uriBytes: 8 * 1024 };
const COPIES = 1000;
const HEAD_END = "\r\n\r\n";

function requestHead(headers: Readonly<Record<string, string>>, number: number): string {
  const fields = Object.entries({ Host: "shop.example.com", ...headers }).map(([name, value]) => `${name}: ${value}`);
  return [`GET /catalog/garden/${number}?page=3 HTTP/1.1`, ...fields].join("\r\n");
}

function responseHead(number: number): string {
  const fields = ["Server: nginx", "Date: Thu, 26 Nov 2026 09:10:17 GMT", "Content-Type: application/json"];
  return ["HTTP/1.1 200 OK", ...fields, `Content-Length: ${1000 + number}`, "Connection: keep-alive"].join("\r\n");
}

/** Distinct heads: the same text again and again would be in every cache. */
function heads(make: (number: number) => string): readonly Buffer[] {
  return Array.from({ length: COPIES }, (_, number) => Buffer.from(make(number) + HEAD_END, "latin1"));
}

/** The text without its last empty line, new each time, as bytes from a socket become it. */
function textOf(bytes: Buffer): string {
  return bytes.toString("latin1", 0, bytes.byteLength - HEAD_END.length);
}

function benchRequests(name: string, headers: Readonly<Record<string, string>>): void {
  const inputs = heads((number) => requestHead(headers, number));
  const reader = new HeadReader(false);
  print(`${name}: bytes to text only`, inputs, textOf);
  print(`${name}: parseRequest`, inputs, (bytes) => parseRequest(textOf(bytes), LIMITS));
  print(`${name}: HeadReader`, inputs, (bytes) => reader.read(bytes, LIMITS));
  print(`${name}: HeadReader, two pieces`, inputs, (bytes) => readInTwo(reader, bytes));
}

function readInTwo(reader: HeadReader, bytes: Buffer): unknown {
  const middle = bytes.byteLength >> 1;
  reader.read(bytes.subarray(0, middle), LIMITS);
  return reader.read(bytes.subarray(middle), LIMITS);
}

function print(name: string, inputs: readonly Buffer[], run: (bytes: Buffer) => unknown): void {
  console.log(`${name.padEnd(52)} ${nanosPerRun(inputs, run).toFixed(0).padStart(6)} ns`);
}

function benchHeads(): void {
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, number) => [`X-Field-${number}`, `value ${number}`]));
  benchRequests("request, Host only", {});
  benchRequests("request, 12 headers, 1.1 KB", BROWSER_HEADERS);
  benchRequests("request, 60 short headers", many);
  print("response, 5 headers: parseResponse", heads(responseHead), (bytes) => parseResponse(textOf(bytes)));
}

if (import.meta.main) benchHeads();
