import { describe, expect, test } from "bun:test";
import { HpackEncoder } from "../../../src/wire/h2/hpack-encoder.ts";
import { encoded, type Field, hex, Reader } from "./hpack-support.ts";

/** An encoder and the decoder at the other end of it. */
function pair(maxTableBytes = 4096): { send(fields: readonly Field[]): Uint8Array; readonly encoder: HpackEncoder } {
  const encoder = new HpackEncoder(maxTableBytes);
  const reader = new Reader(65_536);
  const send = (fields: readonly Field[]) => {
    const block = encoded(encoder, fields);
    expect(reader.read(block)).toEqual(fields);
    return block;
  };
  return { send, encoder };
}

describe("the encoder", () => {
  test("writes fields of the static table as one octet each", () => {
    const { send } = pair();
    const fields: readonly Field[] = [
      [":method", "GET"],
      [":scheme", "https"],
      [":path", "/"],
      ["accept-encoding", "gzip, deflate"],
    ];
    expect(hex(send(fields))).toBe("82878490");
    expect(hex(send([[":status", "500"]]))).toBe("8e");
  });

  test("puts a field into the table, and then points to it", () => {
    const { send } = pair();
    // The bytes of RFC 7541 C.4.1.
    expect(hex(send([[":authority", "www.example.com"]]))).toBe("418cf1e3c2e5f23a6ba0ab90f4ff");
    expect(hex(send([[":authority", "www.example.com"]]))).toBe("be");
    send([["x-team", "catalog"]]);
    expect(hex(send([[":authority", "www.example.com"]]))).toBe("bf");
  });

  test("points to a name that stands in the table when the value is another", () => {
    const { send } = pair();
    send([["x-team", "catalog"]]);
    expect(hex(send([["x-team", "a"]]).slice(0, 1))).toBe("7e");
  });

  test("takes Huffman coding only where it is shorter", () => {
    const { send } = pair();
    expect(hex(send([["content-length", "1000"]]))).toBe("0f0d8308000f");
    expect(hex(send([["content-length", "{}"]]))).toBe("0f0d027b7d");
  });

  test("remembers four values of a name", () => {
    const { send } = pair();
    const values = ["a", "b", "c", "d"].map((value): Field => ["x-team", value]);
    send(values);
    expect(send(values).length).toBe(4);
  });

  test("writes each octet of a value, and of long ones", () => {
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    pair().send([
      ["x-every", every],
      ["x-long", every.repeat(100)],
      ["x-name".repeat(50), ""],
      ["", ""],
    ]);
  });

  test("shows a block until the next one begins, and the same without a view", () => {
    const encoder = new HpackEncoder();
    encoder.begin();
    encoder.field(":status", "200");
    expect(hex(encoder.end())).toBe("88");
    expect(hex(encoder.bytes.slice(0, encoder.length))).toBe("88");
    encoder.begin();
    expect(encoder.end().length).toBe(0);
  });
});

describe("what must not be in a table", () => {
  const secrets = ["authorization", "proxy-authorization", "set-cookie", "x-forwarded-client-cert", "x-api-key"];
  for (const name of secrets) {
    test(`${name} is never indexed, here and further on`, () => {
      const { send, encoder } = pair();
      for (let time = 0; time < 3; time++) expect((send([[name, "secret"]])[0] ?? 0) & 0xf0).toBe(0x10);
      expect(encoder.generation).toBe(0);
    });
  }

  test("a short cookie is never indexed, a long one when it comes twice in a row", () => {
    const { send } = pair();
    const kinds = (value: string) => Array.from({ length: 3 }, () => (send([["cookie", value]])[0] ?? 0) & 0xf0);
    expect(kinds("a=0123456789abcdefg")).toEqual([0x10, 0x10, 0x10]);
    expect(kinds("a=0123456789abcdefgh")).toEqual([0x00, 0x60, 0xb0]);
  });

  test("values that hardly repeat are written out every time", () => {
    for (const name of [":path", "content-length", "etag", "x-request-id"]) {
      const { send, encoder } = pair();
      for (let time = 0; time < 3; time++) expect((send([[name, "12345"]])[0] ?? 0) & 0xf0).toBe(0x00);
      expect(encoder.generation).toBe(0);
    }
  });

  test("a name whose values always change is found out, and taken back in when one comes twice", () => {
    const { send, encoder } = pair();
    for (let time = 0; time < 100; time++) send([["x-trace", `trace ${time}`]]);
    expect(encoder.generation).toBe(4);
    send([["x-trace", "again"]]);
    send([["x-trace", "again"]]);
    expect(encoder.generation).toBe(5);
    expect(send([["x-trace", "again"]]).length).toBe(1);
  });

  test("a field of more than three quarters of the table is written out", () => {
    const { send, encoder } = pair();
    send([["x-large", "v".repeat(3072 - 32 - 7 + 1)]]);
    expect(encoder.generation).toBe(0);
    send([["x-large", "v".repeat(3072 - 32 - 7)]]);
    expect(encoder.generation).toBe(1);
  });
});

describe("the size of the encoder's table", () => {
  const FIELD: Field = ["x-team", "catalog"];

  test("is told to the peer at the beginning of the next block, once", () => {
    const { send, encoder } = pair();
    encoder.setMaxTableBytes(256);
    expect(hex(send([FIELD])).slice(0, 6)).toBe("3fe101");
    expect(send([FIELD]).length).toBe(1);
  });

  test("is told as the smallest and then the last", () => {
    const { send, encoder } = pair();
    send([FIELD]);
    encoder.setMaxTableBytes(300);
    encoder.setMaxTableBytes(0);
    encoder.setMaxTableBytes(256);
    expect(hex(send([FIELD])).slice(0, 8)).toBe("203fe101");
    encoder.setMaxTableBytes(30);
    encoder.setMaxTableBytes(256);
    expect(hex(send([FIELD])).slice(0, 8)).toBe("3e3fe101");
  });

  test("is told as one when the smallest is the last, and as none when nothing changes", () => {
    const { send, encoder } = pair();
    encoder.setMaxTableBytes(4096);
    encoder.setMaxTableBytes(65_536);
    expect(send([FIELD])[0]).toBe(0x40);
    encoder.setMaxTableBytes(1000);
    encoder.setMaxTableBytes(500);
    expect(hex(send([FIELD])).slice(0, 8)).toBe("3fd503be");
  });

  test("drives out what no longer fits", () => {
    const { send, encoder } = pair();
    const fields = ["a", "b", "c"].map((name): Field => [name, "v"]);
    send(fields);
    encoder.setMaxTableBytes(68);
    expect(send(fields.slice(1)).length).toBe(2 + 2);
    expect(send(fields.slice(0, 1)).length).toBeGreaterThan(1);
  });

  test("of 0 keeps everything out of it", () => {
    const { send, encoder } = pair();
    encoder.setMaxTableBytes(0);
    send([FIELD]);
    expect(send([FIELD]).length).toBeGreaterThan(1);
  });

  test("is never over what we use at most, though the peer allows more", () => {
    const small = pair(0);
    expect(hex(small.send([[":status", "200"]]))).toBe("2088");
    const large = pair(8192);
    expect(hex(large.send([[":status", "200"]]))).toBe("88");
    large.encoder.setMaxTableBytes(1_000_000);
    expect(hex(large.send([[":status", "200"]]))).toBe("3fe13f88");
  });
});

describe("the generation of an encoder", () => {
  test("stays while blocks are the same bytes, and changes with the table", () => {
    const { send, encoder } = pair();
    const fields: readonly Field[] = [
      [":status", "200"],
      ["content-type", "text/html"],
    ];
    send(fields);
    const before = encoder.generation;
    const block = send(fields);
    expect(encoder.generation).toBe(before);
    expect(send(fields)).toEqual(block);
    send([["server", "catalog"]]);
    expect(encoder.generation).not.toBe(before);
    expect(send(fields)).not.toEqual(block);
  });

  test("changes when another size is asked for", () => {
    const { encoder } = pair();
    encoder.setMaxTableBytes(4096);
    expect(encoder.generation).toBe(1);
  });
});

describe("the encoder's memory", () => {
  test("is bounded for ten thousand names, and what it forgot is written anew", () => {
    const { send } = pair();
    for (let number = 0; number < 10_000; number++) {
      send([
        [`x-name-${number}`, "value"],
        ["x-team", "catalog"],
      ]);
    }
    expect(send([["x-team", "catalog"]]).length).toBe(1);
  });
});
