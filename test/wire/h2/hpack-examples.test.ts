import { describe, expect, test } from "bun:test";
import { type Field, Reader } from "./hpack-support.ts";

interface Block {
  readonly hex: string;
  readonly fields: readonly Field[];
  /** The dynamic table afterwards, the newest entry first. */
  readonly table: readonly Field[];
}

const CUSTOM: Field = ["custom-key", "custom-header"];
const AUTHORITY: Field = [":authority", "www.example.com"];
const NO_CACHE: Field = ["cache-control", "no-cache"];
const CUSTOM_VALUE: Field = ["custom-key", "custom-value"];
const START: readonly Field[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
];
const REQUESTS: readonly Omit<Block, "hex">[] = [
  { fields: [...START, AUTHORITY], table: [AUTHORITY] },
  { fields: [...START, AUTHORITY, NO_CACHE], table: [NO_CACHE, AUTHORITY] },
  {
    fields: [[":method", "GET"], [":scheme", "https"], [":path", "/index.html"], AUTHORITY, CUSTOM_VALUE],
    table: [CUSTOM_VALUE, NO_CACHE, AUTHORITY],
  },
];

const PRIVATE: Field = ["cache-control", "private"];
const DATE: Field = ["date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const NEXT_DATE: Field = ["date", "Mon, 21 Oct 2013 20:13:22 GMT"];
const LOCATION: Field = ["location", "https://www.example.com"];
const FOUND: Field = [":status", "302"];
const TEMPORARY: Field = [":status", "307"];
const GZIP: Field = ["content-encoding", "gzip"];
const COOKIE: Field = ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"];
const RESPONSES: readonly Omit<Block, "hex">[] = [
  { fields: [FOUND, PRIVATE, DATE, LOCATION], table: [LOCATION, DATE, PRIVATE, FOUND] },
  { fields: [TEMPORARY, PRIVATE, DATE, LOCATION], table: [TEMPORARY, LOCATION, DATE, PRIVATE] },
  {
    fields: [[":status", "200"], PRIVATE, NEXT_DATE, LOCATION, GZIP, COOKIE],
    table: [COOKIE, GZIP, NEXT_DATE],
  },
];

function blocks(hexes: readonly string[], meanings: readonly Omit<Block, "hex">[]): readonly Block[] {
  return meanings.map((meaning, index) => ({ hex: hexes[index] ?? "", ...meaning }));
}

// The table of 256 octets that C.5 and C.6 begin with is agreed by a size update in front.
const TABLE_OF_256 = "3fe101";

/** RFC 7541 Appendix C. */
const EXAMPLES: Readonly<Record<string, readonly Block[]>> = {
  "C.2.1 literal with indexing": [
    { hex: "400a637573746f6d2d6b65790d637573746f6d2d686561646572", fields: [CUSTOM], table: [CUSTOM] },
  ],
  "C.2.2 literal without indexing": [
    { hex: "040c2f73616d706c652f70617468", fields: [[":path", "/sample/path"]], table: [] },
  ],
  "C.2.3 literal never indexed": [
    { hex: "100870617373776f726406736563726574", fields: [["password", "secret"]], table: [] },
  ],
  "C.2.4 indexed": [{ hex: "82", fields: [[":method", "GET"]], table: [] }],
  "C.3 requests without Huffman coding": blocks(
    [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    REQUESTS,
  ),
  "C.4 requests with Huffman coding": blocks(
    [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    REQUESTS,
  ),
  "C.5 responses without Huffman coding": blocks(
    [
      `${TABLE_OF_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54` +
        "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48" +
        "514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    RESPONSES,
  ),
  "C.6 responses with Huffman coding": blocks(
    [
      `${TABLE_OF_256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f` +
        "0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af" +
        "27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
    RESPONSES,
  ),
};

/** The dynamic table, read by its indexes until there is none. */
function tableOf(reader: Reader): readonly Field[] {
  const entries: Field[] = [];
  for (let octet = 0x80 + 62; octet < 0xff; octet++) {
    try {
      entries.push(...reader.read(Uint8Array.of(octet)));
    } catch {
      return entries;
    }
  }
  return entries;
}

describe("the examples of RFC 7541", () => {
  for (const [name, series] of Object.entries(EXAMPLES)) {
    // A decoder is lost after the error that ends the look at its table, so each step has one of its own.
    for (const [index, block] of series.entries()) {
      test(`${name}, block ${index + 1}, mean what they mean there`, () => {
        const reader = new Reader();
        for (const before of series.slice(0, index)) reader.read(before.hex);
        expect(reader.read(block.hex)).toEqual(block.fields);
        expect(tableOf(reader)).toEqual(block.table);
      });
    }
  }
});
