import { describe, expect, test } from "bun:test";
import { HpackError } from "../../../src/wire/h2/hpack-error.ts";
import { integer, literal, Reader } from "./hpack-support.ts";

describe("a block that cannot be decoded", () => {
  const refused = [
    ["index 0", "80"],
    ["the first index of an empty dynamic table", "be"],
    ["an index far outside", "ff 80 80 01"],
    ["a name's index outside the tables, with indexing", "7f 00 01 61"],
    ["a name's index outside the tables, without indexing", "0f 30 01 61"],
    ["an integer that is cut off", "ff"],
    ["an integer that is cut off amid its octets", "ff 80"],
    ["an integer over 28 bits", "ff 80 80 80 80 01"],
    ["an integer that is long only by zeros", "ff 80 80 80 80 80 80 00"],
    ["an integer that would wrap round 32 bits", "ff ff ff ff ff ff ff ff ff 01"],
    ["a name that is cut off", "40 05 61 62"],
    ["a value that is not there", "40 01 61"],
    ["a value that is cut off", "04 0a 2f 61"],
    ["a string whose length is cut off", "04 7f"],
    ["a Huffman string longer than its block", "04 86 a8 eb"],
    ["a bad padding", "04 82 1f ff"],
    ["a table size over the one agreed", "3f e2 1f"],
    ["a table size behind a field", "82 3f e1 01"],
  ] as const;
  for (const [name, block] of refused) {
    test(`is refused for ${name}`, () => {
      expect(() => new Reader().read(block)).toThrow(HpackError);
    });
  }

  test("does not tell in its error what the peer sent", () => {
    expect(() => new Reader().read("40 05 61 62")).toThrow(/^a string longer than its block$/);
  });
});

describe("a block", () => {
  test("of no octets has no fields", () => {
    expect(new Reader().tryRead("")).toEqual({ isWhole: true, fields: [] });
  });

  test("may hold empty names and values", () => {
    expect(new Reader().read("00 00 00 40 80 80")).toEqual([
      ["", ""],
      ["", ""],
    ]);
  });

  test("gives octets above 127 as one character each", () => {
    expect(new Reader().read("00 01 61 03 c3 a4 ff")).toEqual([["a", "\xc3\xa4\xff"]]);
  });

  test("gives a string of 20,000 octets whole", () => {
    const value = "v".repeat(20_000);
    expect(new Reader().read(literal(0, "a", value))).toEqual([["a", value]]);
  });
});

describe("the dynamic table", () => {
  const ENTRY = "40 01 61 01 62";

  test("throws the oldest entries out as RFC 7541 counts them: name, value and 32", () => {
    // 34 octets an entry: 102 hold three, 101 two.
    const room = (size: string) => {
      const reader = new Reader();
      reader.read(`${size} ${ENTRY} 40 01 63 01 64 40 01 65 01 66`);
      return reader;
    };
    expect(room("3f 47").read("c0")).toEqual([["a", "b"]]);
    expect(() => room("3f 46").read("c0")).toThrow(HpackError);
    expect(room("3f 46").read("bf")).toEqual([["c", "d"]]);
  });

  test("keeps more entries than it began with, and their order", () => {
    const reader = new Reader();
    const names = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, "0"));
    for (const name of names) reader.read(literal(0x40, name, ""));
    const indexes = names.flatMap((_, number) => integer(62 + number, 0x7f, 0x80));
    expect(reader.read(Uint8Array.from(indexes)).map(([name]) => name)).toEqual(names.toReversed());
  });

  test("is emptied by an entry over its size, which is a field all the same", () => {
    const reader = new Reader();
    reader.read(`3f 03 ${ENTRY}`);
    expect(reader.read("be")).toEqual([["a", "b"]]);
    expect(reader.read("40 01 61 02 62 62")).toEqual([["a", "bb"]]);
    expect(() => reader.read("be")).toThrow(HpackError);
  });

  test("lets a new entry take its name from the one that it throws out", () => {
    const reader = new Reader();
    reader.read(`3f 03 ${ENTRY}`);
    expect(reader.read("7e 01 63")).toEqual([["a", "c"]]);
    expect(reader.read("be")).toEqual([["a", "c"]]);
  });

  test("is emptied by the size 0, and grows again", () => {
    const reader = new Reader();
    reader.read(ENTRY);
    expect(reader.read(`20 3f e1 1f ${ENTRY} be`)).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    expect(() => reader.read("bf")).toThrow(HpackError);
  });

  test("has 4096 octets until the peer says that it uses more", () => {
    const reader = new Reader(8192);
    const value = "v".repeat(4096 - 32 - 1);
    reader.read(literal(0x40, "a", value));
    expect(reader.read("be")).toEqual([["a", value]]);
    reader.read("40 01 61 01 62");
    expect(() => reader.read("bf")).toThrow(HpackError);
  });

  test("may be made larger up to what was agreed, and not beyond", () => {
    expect(new Reader(8192).read("3f e1 3f 82")).toEqual([[":method", "GET"]]);
    expect(() => new Reader(8192).read("3f e2 3f 82")).toThrow(HpackError);
  });
});

describe("the bound of a field list", () => {
  test("counts name, value and 32 for each field", () => {
    expect(new Reader(4096, 2 * 34).tryRead("00 01 61 01 62 00 01 63 01 64").isWhole).toBe(true);
    expect(new Reader(4096, 2 * 34 - 1).tryRead("00 01 61 01 62 00 01 63 01 64").isWhole).toBe(false);
  });

  test("stops the sink at the field that goes over it, and lets the table stay in step", () => {
    const reader = new Reader(4096, 50);
    expect(reader.tryRead("00 01 61 01 62 40 01 63 01 64 00 01 65 01 66")).toEqual({
      isWhole: false,
      fields: [["a", "b"]],
    });
    expect(reader.tryRead("be")).toEqual({ isWhole: true, fields: [["c", "d"]] });
  });

  test("holds against one large entry that is pointed to thousands of times", () => {
    const reader = new Reader(4096, 16_384);
    expect(reader.tryRead(literal(0x40, "a", "v".repeat(3000))).isWhole).toBe(true);
    const bomb = reader.tryRead(Buffer.alloc(16_000, 0xbe));
    expect(bomb.isWhole).toBe(false);
    expect(bomb.fields.length).toBe(5);
  });
});

describe("what is shared for a block", () => {
  const BLOCK = "82 87 04 02 2f 61";

  test("comes back for the same bytes from the third time on, and the sink is given nothing", () => {
    const reader = new Reader();
    for (const time of ["first", "second"]) {
      expect(reader.read(BLOCK).length).toBe(3);
      expect(reader.decoder.shared).toBeNull();
      reader.decoder.share(time);
    }
    expect(reader.tryRead(BLOCK)).toEqual({ isWhole: true, fields: [] });
    expect(reader.decoder.shared).toBe("second");
  });

  function remembering(block: string, reader = new Reader()): Reader {
    for (let time = 0; time < 2; time++) {
      reader.read(block);
      reader.decoder.share(block);
    }
    return reader;
  }

  test("does not come back for other bytes", () => {
    const reader = remembering(BLOCK);
    expect(reader.read("82 87 04 02 2f 62")).toContainEqual([":path", "/b"]);
    expect(reader.decoder.shared).toBeNull();
    expect(() => reader.read("82 87 04 02 2f")).toThrow(HpackError);
  });

  test("is forgotten when the table changes, so that an index means what it means now", () => {
    const reader = new Reader();
    reader.read("40 01 61 01 62");
    remembering("be 82", reader);
    reader.read("40 01 63 01 64");
    expect(reader.read("be 82")).toEqual([
      ["c", "d"],
      [":method", "GET"],
    ]);
  });

  test("is not kept for a block that changes the table, or is over the bound of a list", () => {
    expect(remembering("40 01 61 01 62").read("40 01 61 01 62").length).toBe(1);
    expect(remembering("3f e1 1f 82").read("3f e1 1f 82").length).toBe(1);
    const bounded = remembering("82 82", new Reader(4096, 50));
    expect(bounded.tryRead("82 82")).toEqual({ isWhole: false, fields: [[":method", "GET"]] });
  });

  test("is kept for eight blocks and four kilobytes of them", () => {
    const path = (number: number, length: number) => literal(0, "a", String(number).padStart(length, "x"));
    const knows = (count: number, length: number) => {
      const reader = new Reader();
      const blocks = Array.from({ length: count }, (_, number) => path(number, length));
      for (const block of blocks) {
        for (let time = 0; time < 2; time++) {
          reader.read(block);
          reader.decoder.share("known");
        }
      }
      return blocks.filter((block) => reader.read(block).length === 0).length;
    };
    expect(knows(8, 20)).toBe(8);
    expect(knows(9, 20)).toBe(8);
    expect(knows(20, 20)).toBe(8);
    // Four of a thousand octets fit, and the fifth begins anew.
    expect(knows(4, 1000)).toBe(4);
    expect(knows(5, 1000)).toBe(1);
    expect(knows(1, 1024)).toBe(0);
  });

  test("is not asked for when nothing was shared", () => {
    const reader = new Reader();
    for (let time = 0; time < 5; time++) expect(reader.read(BLOCK).length).toBe(3);
  });
});
