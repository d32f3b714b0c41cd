import { describe, expect, test } from "bun:test";
import { CopyFault, copyText, readCopy } from "../../src/registry/copy-text.ts";
import { createLastGood, type KnownSet } from "../../src/registry/last-good.ts";
import type { EndpointSpec } from "../../src/registry/registry.ts";

const ONE: EndpointSpec = { id: "one", url: "http://127.0.0.1:9001", weight: 3, zone: "a", version: "2", tags: ["x"] };
const TWO: EndpointSpec = { id: "two", url: "https://[::1]:9002", weight: 0 };

function setsOf(at: number): ReadonlyMap<string, KnownSet> {
  return new Map([
    ["shop", { endpoints: [ONE, TWO], mark: "m1", at }],
    ["empty", { endpoints: [], mark: "", at }],
  ]);
}

describe("a copy of a registry", () => {
  test("is read as it was written, by name, whatever the order of services", () => {
    const { text } = copyText(setsOf(1000), 1000);
    expect(readCopy(text)).toEqual({ savedAt: 1000, sets: setsOf(1000) });
    expect(copyText(new Map([...setsOf(1000)].reverse()), 1000).text).toBe(text);
  });

  const { text } = copyText(setsOf(1000), 1000);
  const end = text.indexOf("\n");
  const rows: readonly (readonly [name: string, text: string, fault: string])[] = [
    ["that is empty", "", "no copy of a registry"],
    ["that is something else", "PNG\n", "no copy of a registry"],
    ["that is JSON of something else", '{"format":"other"}\n', "no copy of a registry"],
    ["of another version", text.replace('"version":1', '"version":0'), "of version 0, not 1"],
    ["whose first line lacks something", text.replace('"savedAt":1000', '"savedAt":"x"'), "first line is broken"],
    ["that is cut within its first line", text.slice(0, end), "no copy of a registry"],
    ["that is cut after a line", text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1), "cut short or damaged"],
    ["that lost its last byte", text.slice(0, -1), "cut short or damaged"],
    ["of which one digit is another", text.replace("9001", "9003"), "cut short or damaged"],
  ];
  test.each(rows)("%s is refused", (_, broken, fault) => {
    expect(() => readCopy(broken)).toThrow(CopyFault);
    expect(() => readCopy(broken)).toThrow(fault);
  });

  test("with an endpoint that leads nowhere is refused though it is whole", () => {
    const endpoints = [{ ...ONE, url: "http://127.0.0.1/path" }];
    const whole = copyText(new Map([["shop", { endpoints, mark: "", at: 1 }]]), 1);
    expect(() => readCopy(whole.text)).toThrow("endpoint that cannot be used");
  });
});

describe("the last good sets", () => {
  function setup(first: ReadonlyMap<string, KnownSet> = new Map()) {
    let at = 1_000_000;
    let changes = 0;
    const book = createLastGood({ first, nowAt: () => at, onChange: () => void changes++ });
    return {
      book,
      changes: () => changes,
      move: (ms: number) => {
        at += ms;
      },
    };
  }

  test("change with an endpoint, a weight or a mark, and not with a load or another reading", () => {
    const { book, changes } = setup();
    const told = (mark: string, ...endpoints: readonly EndpointSpec[]) => {
      book.remember("shop", { endpoints, mark });
      return changes();
    };
    expect(told("m", ONE)).toBe(1);
    expect(told("m", { ...ONE })).toBe(1);
    expect(told("m", { ...ONE, load: { cpu: 0.5 } })).toBe(1);
    expect(told("m", { ...ONE, load: { cpu: 0.7 } })).toBe(1);
    expect(told("m", { ...ONE, weight: 4 })).toBe(2);
    expect(told("m", ONE, TWO)).toBe(3);
    expect(told("n", ONE, TWO)).toBe(4);
    expect(book.recall("shop")?.endpoints).toEqual([ONE, TWO]);
  });

  test("of a service that nobody uses any more are forgotten after a minute, and not within it", () => {
    const { book, move } = setup(setsOf(1));
    book.enter("shop");
    book.enter("shop");
    book.leave("shop");
    move(61_000);
    expect([...book.sets().keys()]).toEqual(["shop"]);
    book.leave("shop");
    move(30_000);
    book.enter("shop");
    move(61_000);
    expect([...book.sets().keys()]).toEqual(["shop"]);
    book.leave("shop");
    move(61_000);
    expect(book.sets().size).toBe(0);
  });

  test("have no mark to be compared with when they are old", () => {
    const { book, move } = setup(setsOf(1_000_000));
    expect(book.recall("shop")?.mark).toBe("m1");
    move(16 * 60_000);
    expect(book.recall("shop")).toMatchObject({ mark: "", endpoints: [ONE, TWO] });
    expect(book.recall("nobody")).toBeNull();
  });
});
