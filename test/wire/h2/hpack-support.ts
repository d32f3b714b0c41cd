import { HpackDecoder } from "../../../src/wire/h2/hpack-decoder.ts";
import type { HpackEncoder } from "../../../src/wire/h2/hpack-encoder.ts";

export type Field = readonly [name: string, value: string];

/** Octets from pairs of hexadecimal digits; spaces do not count. */
export function octets(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** An integer whose prefix is the bits of `mask`, with `first` in the octet's other bits. */
export function integer(value: number, mask: number, first: number): readonly number[] {
  if (value < mask) return [first | value];
  const parts = [first | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest >>= 7) parts.push(0x80 | (rest & 0x7f));
  return [...parts, rest];
}

/** A field without an index or Huffman coding, whose first octet is `kind`: 0x40 puts it into the table. */
export function literal(kind: number, name: string, value: string): Uint8Array {
  const text = (part: string) => [...integer(part.length, 0x7f, 0), ...Buffer.from(part, "latin1")];
  return Uint8Array.from([kind, ...text(name), ...text(value)]);
}

/** A decoder and the fields of the block that it decoded last. */
export class Reader {
  readonly decoder: HpackDecoder<string>;
  #fields: Field[] = [];

  constructor(maxTableBytes = 4096, maxListBytes = 65_536) {
    const sink = { field: (name: string, value: string) => void this.#fields.push([name, value]) };
    this.decoder = new HpackDecoder<string>({ sink, maxTableBytes, maxListBytes });
  }

  /** What the sink was given. The block lies amid other octets, which nobody may read. */
  read(block: Uint8Array | string): readonly Field[] {
    return this.tryRead(block).fields;
  }

  tryRead(block: Uint8Array | string): { readonly isWhole: boolean; readonly fields: readonly Field[] } {
    const bytes = typeof block === "string" ? octets(block) : block;
    this.#fields = [];
    const padded = Buffer.concat([Buffer.from([0xff, 0x82]), bytes, Buffer.from([0x82, 0xff])]);
    const isWhole = this.decoder.decode(padded, 2, 2 + bytes.length);
    return { isWhole, fields: this.#fields };
  }
}

/** The block of these fields: a copy. */
export function encoded(encoder: HpackEncoder, fields: readonly Field[]): Uint8Array {
  encoder.begin();
  for (const [name, value] of fields) encoder.field(name, value);
  return encoder.end().slice();
}
