import { describe, expect, test } from "bun:test";
import { HpackError } from "../../../src/wire/h2/hpack-error.ts";
import { huffmanBytes, huffmanText, writeHuffman } from "../../../src/wire/h2/huffman.ts";
import { hex, octets } from "./hpack-support.ts";

const EVERY_OCTET = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));

function code(text: string): Uint8Array {
  const out = new Uint8Array(huffmanBytes(text) + 2).fill(0xaa);
  const end = writeHuffman(text, out, 1);
  expect([end, out[0], out[end]]).toEqual([out.length - 1, 0xaa, 0xaa]);
  return out.slice(1, end);
}

function textOf(bytes: Uint8Array): string {
  return huffmanText(bytes, 0, bytes.length);
}

describe("Huffman coding", () => {
  test("writes what the examples of RFC 7541 show", () => {
    expect(hex(code("www.example.com"))).toBe("f1e3c2e5f23a6ba0ab90f4ff");
    expect(hex(code("no-cache"))).toBe("a8eb10649cbf");
    expect(hex(code("Mon, 21 Oct 2013 20:13:21 GMT"))).toBe("d07abe941054d444a8200595040b8166e082a62d1bff");
  });

  test("writes the codes of the RFC's table for the rarest octets", () => {
    // 0x00: 13 bits; 0x0a, 0x0d, 0x16: 30 bits, next to EOS; 0xf9: 28; 0xff: 26.
    expect(hex(code("\x00"))).toBe("ffc7");
    expect(hex(code("\x0a"))).toBe("fffffff3");
    expect(hex(code("\x0d"))).toBe("fffffff7");
    expect(hex(code("\x16"))).toBe("fffffffb");
    expect(hex(code("\xf9"))).toBe("ffffffef");
    expect(hex(code("\xff"))).toBe("fffffbbf");
  });

  test("gives every octet back, alone and at every offset in a text", () => {
    for (const octet of EVERY_OCTET) {
      expect(textOf(code(octet))).toBe(octet);
      for (let before = 1; before <= 8; before++) {
        const text = `${"0".repeat(before)}${octet}a${octet}`;
        expect(textOf(code(text))).toBe(text);
      }
    }
    expect(textOf(code(EVERY_OCTET))).toBe(EVERY_OCTET);
  });

  test("gives nothing and texts of many kilobytes back", () => {
    expect(textOf(code(""))).toBe("");
    const long = "0123456789abcdefghij /?=&%".repeat(1000);
    expect(textOf(code(long))).toBe(long);
  });

  test("reads only the octets that it was shown", () => {
    expect(huffmanText(octets("ff a8eb10649cbf ff"), 1, 7)).toBe("no-cache");
  });
});

describe("the padding of a Huffman code", () => {
  const refused = [
    ["of eight bits", "1f ff"],
    ["of eight bits alone", "ff"],
    ["of zeros", "18"],
    ["that is not all ones", "1e"],
    ["of 16 bits behind whole octets", "a8eb10649cbf ff ff"],
    ["in the middle of a code of ten bits", "fe"],
    ["that is EOS", "ff ff ff ff"],
    ["behind EOS", "1f ff ff ff ff"],
  ] as const;
  for (const [name, bytes] of refused) {
    test(`${name} is refused`, () => {
      expect(() => textOf(octets(bytes))).toThrow(HpackError);
    });
  }

  test("of nought to seven bits is taken", () => {
    // "0" has five bits, "-" six, ":" seven, "&" eight.
    expect(["07", "5b", "b9", "f8", "03 ff"].map((bytes) => textOf(octets(bytes)).length)).toEqual([1, 1, 1, 1, 2]);
  });
});
