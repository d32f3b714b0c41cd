import { describe, expect, test } from "bun:test";
import { nameTable } from "../../src/wire/name-table.ts";

const named = (id: string, ...hostnames: readonly string[]) => ({ id, hostnames });

describe("a table of names", () => {
  test("finds who has a name itself, then the longest wildcard, then who has none of their own", () => {
    const find = nameTable([
      named("rest"),
      named("a", "a.test"),
      named("wild", "*.a.test"),
      named("deep", "*.b.a.test", "[::1]"),
    ]);
    const asked = ["a.test", "x.a.test", "x.y.a.test", "b.a.test", "x.b.a.test", "[::1]", "test", "", "*.a.test"];
    expect(asked.map((name) => find(name)?.id)).toEqual([
      "a",
      "wild",
      "wild",
      "wild",
      "deep",
      "deep",
      "rest",
      "rest",
      "wild",
    ]);
  });

  test("finds nobody where all have names of their own, and the first of two with the same", () => {
    const find = nameTable([named("one", "a.test"), named("two", "a.test", "*.b.test")]);
    expect([find("a.test")?.id, find("b.test"), find("c.test"), find("x.b.test")?.id]).toEqual([
      "one",
      null,
      null,
      "two",
    ]);
    expect(nameTable([])("a.test")).toBeNull();
  });

  test("takes * for all names", () => {
    expect(nameTable([named("all", "*")])("anything.test")?.id).toBe("all");
  });
});
