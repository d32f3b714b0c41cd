import { describe, expect, test } from "bun:test";
import { type Random, seeded } from "../../../soak/random.ts";
import { HpackEncoder } from "../../../src/wire/h2/hpack-encoder.ts";
import { HpackError } from "../../../src/wire/h2/hpack-error.ts";
import { encoded, type Field, Reader } from "./hpack-support.ts";

const NAMES = [
  ":status",
  ":path",
  ":authority",
  "accept",
  "authorization",
  "cache-control",
  "content-length",
  "cookie",
  "date",
  "set-cookie",
  "x-a",
  "x-team",
  "x-a-rather-long-name-that-no-table-holds",
] as const;
const VALUES = ["", "200", "404", "/", "gzip, deflate", "no-cache", "a=0123456789abcdefghij", "text/html"] as const;

function randomText(random: Random, bound: number): string {
  return String.fromCharCode(...Array.from({ length: random.below(bound) }, () => random.below(256)));
}

function randomField(random: Random): Field {
  const name = random.below(10) === 0 ? randomText(random, 20) : random.pick(NAMES);
  const value = random.below(3) === 0 ? randomText(random, random.below(20) === 0 ? 5000 : 60) : random.pick(VALUES);
  return [name, value];
}

function randomFields(random: Random): readonly Field[] {
  return Array.from({ length: random.below(12) }, () => randomField(random));
}

describe("random fields", () => {
  test("come back as they went, through 50 pairs whose tables are resized all the time", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seeded(seed);
      const encoder = new HpackEncoder(random.pick([0, 100, 4096, 20_000]));
      const reader = new Reader(20_000, 1_000_000);
      for (let block = 0; block < 100; block++) {
        while (random.below(4) === 0) encoder.setMaxTableBytes(random.pick([0, 40, 100, 1000, 4096, 20_000]));
        const fields = randomFields(random);
        expect({ seed, fields: reader.read(encoded(encoder, fields)) }).toEqual({ seed, fields });
      }
    }
  });

  test("come back as they went when the same few blocks repeat and are shared", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seeded(seed);
      const encoder = new HpackEncoder();
      const reader = new Reader();
      const known = new Map<string, readonly Field[]>();
      const lists = Array.from({ length: 12 }, () => randomFields(random));
      for (let block = 0; block < 300; block++) {
        const number = random.below(lists.length);
        const fields = lists[number] ?? [];
        const seen = reader.read(encoded(encoder, fields));
        const shared = reader.decoder.shared;
        expect(shared === null ? seen : known.get(shared)).toEqual(fields);
        const label = `${number}`;
        known.set(label, fields);
        if (shared === null) reader.decoder.share(label);
      }
    }
  });
});

function mutated(block: Uint8Array, random: Random): Uint8Array {
  const bytes = [...block];
  for (let faults = 1 + random.below(3); faults > 0; faults--) {
    const at = random.below(bytes.length + 1);
    const octet = random.below(256);
    bytes.splice(at, random.below(3), ...random.pick([[octet], [], [0xff, 0xff, octet]]));
  }
  return Uint8Array.from(bytes);
}

describe("a damaged block", () => {
  test("is read or refused with an HpackError, and nothing else", () => {
    const counts = { read: 0, refused: 0 };
    for (let seed = 1; seed <= 3000; seed++) {
      const random = seeded(seed);
      const encoder = new HpackEncoder();
      const reader = new Reader();
      const blocks = Array.from({ length: 3 }, () => encoded(encoder, randomFields(random)));
      try {
        for (const block of blocks) reader.read(random.below(2) === 0 ? block : mutated(block, random));
        counts.read++;
      } catch (error) {
        expect(error).toBeInstanceOf(HpackError);
        counts.refused++;
      }
    }
    expect(Math.min(counts.read, counts.refused)).toBeGreaterThan(300);
  });

  test("of random octets is, too", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const random = seeded(seed);
      const block = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
      try {
        expect(new Reader().read(block).length).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toBeInstanceOf(HpackError);
      }
    }
  });
});
