/**
 * What a header block costs to decode and to encode, in nanoseconds: `bun bench/micro-hpack.ts`.
 * Tables are warm, as on a connection that has been used for a while. Compare within one run.
 */
import { HpackDecoder } from "../src/wire/h2/hpack-decoder.ts";
import { HpackEncoder } from "../src/wire/h2/hpack-encoder.ts";
import { BROWSER_HEADERS } from "./browser-headers.ts";
import { nanosPerRun } from "./measure.ts";

type Fields = readonly (readonly [string, string])[];

const COPIES = 1000;

const REQUEST: Fields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":authority", "shop.example.com"],
  ["user-agent", "h2load nghttp2/1.52.0"],
];
const BROWSER: Fields = [
  ...REQUEST.slice(0, 3),
  ...Object.entries(BROWSER_HEADERS).map(([name, value]) => [name.toLowerCase(), value] as const),
];
const RESPONSE: Fields = [
  [":status", "200"],
  ["server", "catalog"],
  ["date", "Thu, 26 Nov 2026 09:10:17 GMT"],
  ["content-type", "application/json"],
  ["cache-control", "max-age=60"],
];

/** The fields, and one that is another in each copy. */
function varied(fields: Fields, vary: (number: number) => readonly [string, string]): readonly Fields[] {
  return Array.from({ length: COPIES }, (_, number) => [...fields, vary(number)]);
}

const path = (number: number) => [":path", `/catalog/garden/${number}?page=3`] as const;
const length = (number: number) => ["content-length", `${1000 + number}`] as const;

function encode(encoder: HpackEncoder, fields: Fields): Uint8Array {
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  return encoder.end();
}

function encoderWarmedBy(fields: Fields): HpackEncoder {
  const encoder = new HpackEncoder();
  for (let time = 0; time < 3; time++) encode(encoder, fields);
  return encoder;
}

/** The blocks of these lists as they look with a warm table, and a decoder that has it. */
function blocksOf(lists: readonly Fields[]): { readonly blocks: readonly Uint8Array[]; readonly decoder: Decoder } {
  const decoder = new Decoder();
  const encoder = new HpackEncoder();
  for (let time = 0; time < 3; time++) decoder.decode(encode(encoder, lists[0] ?? []));
  return { blocks: lists.map((fields) => encode(encoder, fields).slice()), decoder };
}

class Decoder {
  seen = 0;
  readonly hpack: HpackDecoder<object>;

  constructor() {
    const sink = {
      field: (name: string, value: string) => {
        this.seen += name.length + value.length;
      },
    };
    this.hpack = new HpackDecoder<object>({ sink, maxTableBytes: 4096, maxListBytes: 65_536 });
  }

  decode(block: Uint8Array): number {
    this.hpack.decode(block, 0, block.length);
    return this.seen;
  }

  share(block: Uint8Array): unknown {
    this.hpack.decode(block, 0, block.length);
    if (this.hpack.shared === null) this.hpack.share(this);
    return this.hpack.shared;
  }
}

function print(name: string, nanos: number): void {
  console.log(`${name.padEnd(52)} ${nanos.toFixed(0).padStart(6)} ns`);
}

function benchDecoder(name: string, lists: readonly Fields[]): void {
  const { blocks, decoder } = blocksOf(lists);
  const same = blocks.map(() => blocks[0] ?? new Uint8Array());
  const octets = blocks[0]?.length ?? 0;
  print(
    `decode, ${name}: ${octets} octets`,
    nanosPerRun(blocks, (block) => decoder.decode(block)),
  );
  print(
    "  to be shared, never the same",
    nanosPerRun(blocks, (block) => decoder.share(block)),
  );
  print(
    "  to be shared, the same again",
    nanosPerRun(same, (block) => decoder.share(block)),
  );
}

function benchEncoder(name: string, lists: readonly Fields[]): void {
  const encoder = encoderWarmedBy(lists[0] ?? []);
  print(
    `encode, ${name}`,
    nanosPerRun(lists, (fields) => encode(encoder, fields)),
  );
}

function benchFirst(): void {
  const first = [encode(new HpackEncoder(), [...BROWSER, path(1)]).slice()];
  print(
    "decode, the first block of a browser",
    nanosPerRun(first, (block) => new Decoder().decode(block)),
  );
  print(
    "encode, the first block of a browser",
    nanosPerRun(first, () => encode(new HpackEncoder(), BROWSER)),
  );
}

function benchHpack(): void {
  benchDecoder(
    "request, all indexed",
    varied([...REQUEST], () => [":path", "/"]),
  );
  benchDecoder("request, and a path", varied(REQUEST, path));
  benchDecoder("browser, and a path", varied(BROWSER, path));
  benchDecoder("response, and a length", varied(RESPONSE, length));
  benchEncoder("request, and a path", varied(REQUEST, path));
  benchEncoder("browser, and a path", varied(BROWSER, path));
  benchEncoder("response, and a length", varied(RESPONSE, length));
  benchFirst();
}

if (import.meta.main) benchHpack();
