import { describe, expect, test } from "bun:test";
import { asHeaders, LightHeaders } from "../../src/wire/fetch-headers.ts";
import { lightResponse } from "../../src/wire/fetch-response.ts";
import { headerList } from "../../src/wire/header-list.ts";
import { ChunkSource } from "./support.ts";

type Pairs = readonly (readonly [string, string])[];

function light(pairs: Pairs): Headers {
  return asHeaders(new LightHeaders(headerList(pairs)));
}

function real(pairs: Pairs): Headers {
  return new Headers(pairs.map(([name, value]): [string, string] => [name, value]));
}

const PAIRS: Pairs = [
  ["X-B", "1"],
  ["Set-Cookie", "a=1"],
  ["Accept", "*/*"],
  ["x-b", "2"],
  ["set-cookie", "b=2"],
];

const READS: Readonly<Record<string, (headers: Headers) => unknown>> = {
  "get joins": (headers) => [headers.get("x-b"), headers.get("X-B"), headers.get("none"), headers.get("set-cookie")],
  has: (headers) => [headers.has("ACCEPT"), headers.has("none")],
  getSetCookie: (headers) => headers.getSetCookie(),
  "iteration is sorted, cookies apart": (headers) => [...headers],
  entries: (headers) => [...headers.entries()],
  keys: (headers) => [...headers.keys()],
  values: (headers) => [...headers.values()],
  forEach: (headers) => {
    const seen: unknown[] = [];
    headers.forEach((value, name, parent) => {
      seen.push([name, value, parent === headers]);
    });
    return seen;
  },
  "a copy": (headers) => [...new Headers(headers)],
  "an init of a Response": (headers) => [...new Response(null, { headers }).headers],
  instanceof: (headers) => headers instanceof Headers,
  count: (headers) => headers.count,
};

const WRITES: Readonly<Record<string, (headers: Headers) => unknown>> = {
  "set replaces all": (headers) => headers.set("X-B", "new"),
  "set adds": (headers) => headers.set("x-c", "  spaced \t"),
  "append adds": (headers) => headers.append("accept", "text/html"),
  "append of a cookie": (headers) => headers.append("set-cookie", "c=3"),
  "delete takes all": (headers) => headers.delete("x-B"),
  "delete of cookies": (headers) => headers.delete("Set-Cookie"),
  "an empty value": (headers) => headers.set("x-empty", ""),
};

const REFUSED: readonly (readonly [string, string])[] = [
  ["bad name", "1"],
  ["", "1"],
  ["x-a", "line\r\nbreak"],
  ["x-a", "zero\0"],
  ["x-a", "€"],
];

describe("light headers", () => {
  for (const [name, read] of Object.entries(READS)) {
    test(`answer as Headers do: ${name}`, () => expect(read(light(PAIRS))).toEqual(read(real(PAIRS))));
  }

  for (const [name, write] of Object.entries(WRITES)) {
    test(`change as Headers do: ${name}`, () => {
      const [ours, theirs] = [light(PAIRS), real(PAIRS)];
      write(ours);
      write(theirs);
      expect([...ours]).toEqual([...theirs]);
    });
  }

  for (const [name, value] of REFUSED) {
    test(`refuse ${JSON.stringify(`${name}: ${value}`)} with a TypeError`, () => {
      expect(() => real([]).append(name, value)).toThrow(TypeError);
      expect(() => light([]).append(name, value)).toThrow(TypeError);
      expect(() => light([]).set(name, value)).toThrow(TypeError);
    });
  }

  test("have every member that Headers have", () => {
    const missing = Object.getOwnPropertyNames(Headers.prototype).filter((key) => {
      return !Object.hasOwn(LightHeaders.prototype, key);
    });
    expect(missing).toEqual([]);
  });
});

function response(chunks: readonly string[] | null, status = 200): Response {
  const headers = headerList([
    ["Content-Type", "application/json"],
    ["X-A", "1"],
  ]);
  return lightResponse({ status, reason: "Fine", headers }, chunks === null ? null : new ChunkSource(chunks));
}

describe("a light response", () => {
  test("has every member that a Response has, of its own or without native state", () => {
    const own = response(null);
    const members = Object.getOwnPropertyNames(Response.prototype).filter((key) => key !== "textStream");
    const prototype = Object.getPrototypeOf(own);
    expect(members.filter((key) => !Object.hasOwn(own, key) && !Object.hasOwn(prototype, key))).toEqual([]);
  });

  test("says what it is", () => {
    const { status, statusText, ok, type, url, redirected, bodyUsed } = response([]);
    expect({ status, statusText, ok, type, url, redirected, bodyUsed }).toEqual({
      status: 200,
      statusText: "Fine",
      ok: true,
      type: "default",
      url: "",
      redirected: false,
      bodyUsed: false,
    });
    expect(response([], 404).ok).toBe(false);
    expect(response([])).toBeInstanceOf(Response);
  });

  test("gives its body in every form", async () => {
    const chunks = ['{"a"', ":1}"];
    expect(await response(chunks).text()).toBe('{"a":1}');
    expect(await response(chunks).json()).toEqual({ a: 1 });
    expect((await response(chunks).arrayBuffer()).byteLength).toBe(7);
    expect((await response(chunks).bytes()).length).toBe(7);
    expect((await response(chunks).blob()).type).toContain("application/json");
    expect(await new Response(response(chunks).body).text()).toBe('{"a":1}');
  });

  test("gives its body once", async () => {
    const one = response(["x"]);
    await one.text();
    expect(one.bodyUsed).toBe(true);
    await expect(one.text()).rejects.toThrow(TypeError);
    expect(() => one.clone()).toThrow(TypeError);
  });

  test("is not read while a reader holds its body", async () => {
    const one = response(["x"]);
    one.body?.getReader();
    await expect(one.text()).rejects.toThrow(TypeError);
  });

  test("clones, and both have the body", async () => {
    const one = response(["a", "b"]);
    const two = one.clone();
    two.headers.set("x-a", "2");
    expect(await Promise.all([one.text(), two.text()])).toEqual(["ab", "ab"]);
    expect([one.headers.get("x-a"), two.headers.get("x-a")]).toEqual(["1", "2"]);
  });

  test("without a body has none to read, and clones", async () => {
    const one = response(null, 204);
    expect(one.body).toBeNull();
    expect(one.clone().status).toBe(204);
    expect(await one.text()).toBe("");
  });

  test("is an init of a real Response: status, reason, headers and the same stream", () => {
    const one = response(["x"], 201);
    const two = new Response(one.body, one);
    expect([two.status, two.statusText, two.headers.get("x-a"), two.body === one.body]).toEqual([
      201,
      "Fine",
      "1",
      true,
    ]);
  });
});
