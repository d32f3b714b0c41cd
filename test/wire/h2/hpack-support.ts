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
