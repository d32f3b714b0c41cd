import { beforeAll, describe, expect, test } from "bun:test";
import { HelloError } from "../../../src/wire/tls/alert.ts";
import { HELLO_WIRE_BYTES, parseClientHello } from "../../../src/wire/tls/client-hello.ts";
import { allowedCiphers, takesKey } from "../../../src/wire/tls/key-choice.ts";
import { clientHello, inRecords } from "../../support/client-hello.ts";

let hello: Buffer;

beforeAll(async () => {
  hello = await clientHello("-servername", "Shop.Example.COM", "-alpn", "h2,http/1.1");
});

/** The alert that bytes are answered with, or what was read. */
function alertFor(bytes: Buffer): unknown {
  try {
    return parseClientHello(bytes);
  } catch (error) {
    return error instanceof HelloError ? error.alert : error;
  }
}

/** A ClientHello with this server_name extension's content, and nothing else. */
function helloNaming(content: Buffer): Buffer {
  const extension = Buffer.concat([Buffer.from([0, 0, content.length >> 8, content.length & 255]), content]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0, extension.length >> 8, extension.length & 255]),
    extension,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1, message.length >> 8, message.length & 255]), message]);
}

function nameList(name: string, type = 0): Buffer {
  const bytes = Buffer.from(name, "latin1");
  const length = bytes.length;
  const list = length + 3;
  return Buffer.concat([Buffer.from([list >> 8, list & 255, type, length >> 8, length & 255]), bytes]);
}

describe("a ClientHello", () => {
  test("tells the name in lower case, protocols and versions in order", () => {
    const read = parseClientHello(hello);
    expect(read).toMatchObject({ sni: "shop.example.com", alpn: ["h2", "http/1.1"] });
    expect(read?.versions.slice(0, 2)).toEqual([0x0304, 0x0303]);
  });

  test("says nothing of what the client leaves out", async () => {
    const bare = parseClientHello(await clientHello("-noservername", "-tls1_2"));
    expect(bare).toMatchObject({ sni: null, alpn: [], versions: [0x0303] });
  });

  test("is read in whatever pieces it comes, and not before it is whole", () => {
    const whole = parseClientHello(hello);
    for (let length = 0; length < hello.length; length++) {
      expect(parseClientHello(hello.subarray(0, length))).toBeNull();
    }
    for (const size of [1, 3, 7, 100]) {
      const records = inRecords(hello, size);
      expect(parseClientHello(records)).toEqual(whole);
      expect(parseClientHello(records.subarray(0, -1))).toBeNull();
    }
    expect(parseClientHello(Buffer.concat([hello, Buffer.from("whatever follows")]))).toEqual(whole);
  });

  test("is refused when it is none, at its first bytes", () => {
    expect([
      alertFor(Buffer.from("garbage")),
      alertFor(Buffer.from([0x80])),
      alertFor(Buffer.from([22, 2])),
      alertFor(Buffer.from([22, 3, 1, 0, 0])),
      alertFor(Buffer.from([22, 3, 1, 0xff, 0xff])),
      alertFor(Buffer.from([22, 3, 1, 0, 4, 2])),
      alertFor(Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0])),
    ]).toEqual([
      "unexpected_message",
      "unexpected_message",
      "protocol_version",
      "decode_error",
      "decode_error",
      "unexpected_message",
      "decode_error",
    ]);
  });

  test("is refused when it is cut short, or lies about a length", () => {
    for (let at = 9; at < hello.length; at++) {
      const changed = Buffer.from(hello);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      const read = alertFor(changed);
      // Whatever the change makes of it, it is read or refused, never anything else.
      expect(read === null || typeof read === "object" || typeof read === "string").toBe(true);
    }
    const body = Buffer.from(hello);
    body.writeUIntBE(hello.length - 5 - 4 - 1, 6, 3);
    expect(alertFor(body)).toBe("decode_error");
  });

  test("is refused when it goes on for too long", () => {
    const endless = inRecords(Buffer.concat([Buffer.from([22, 3, 1, 0, 0, 1, 0, 0x3f, 0xff]), Buffer.alloc(9000)]), 1);
    expect(alertFor(endless.subarray(0, HELLO_WIRE_BYTES - 1))).toBeNull();
    expect(alertFor(endless.subarray(0, HELLO_WIRE_BYTES))).toBe("decode_error");
  });

  test("names one host, which is one", () => {
    const named = (name: string) => alertFor(helloNaming(nameList(name)));
    expect(named("a.test.")).toMatchObject({ sni: "a.test" });
    expect(named("xn--bcher-kva.example")).toMatchObject({ sni: "xn--bcher-kva.example" });
    for (const name of ["a.test\0.evil.test", "a b", "", ".", "a/b", "\xe9.test", "x".repeat(300)]) {
      expect(named(name)).toBe("illegal_parameter");
    }
    expect(alertFor(helloNaming(nameList("a.test", 1)))).toBe("decode_error");
    expect(alertFor(helloNaming(Buffer.concat([nameList("a.test"), nameList("b.test")])))).toBe("decode_error");
  });

  test("is refused when it says something twice", () => {
    const twice = Buffer.concat([nameList("a.test"), Buffer.from([0, 0, 0, 11]), nameList("b.test")]);
    const whole = helloNaming(twice);
    // The outer extension's length is that of its first content.
    whole.writeUInt16BE(11, whole.length - twice.length - 2);
    expect(alertFor(whole)).toBe("decode_error");
  });
});

describe("a kind of key", () => {
  async function keysBy(list: string | null, ...args: readonly string[]) {
    const parsed = parseClientHello(await clientHello(...args));
    if (parsed === null) throw new Error("the ClientHello is not whole");
    const allowed = list === null ? null : allowedCiphers(list);
    return (["rsa", "ecdsa", "ed25519"] as const).filter((key) => takesKey(parsed, key, allowed));
  }

  test("is taken by who can verify its signatures, and in TLS 1.2 has a cipher for it", async () => {
    const keys = (...args: readonly string[]) => keysBy(null, ...args);
    expect(await keys()).toEqual(["rsa", "ecdsa", "ed25519"]);
    expect(await keys("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")).toEqual(["rsa"]);
    expect(await keys("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")).toEqual(["rsa"]);
    expect(await keys("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")).toEqual(["ecdsa", "ed25519"]);
  });

  test("is not taken by a cipher that is not allowed", async () => {
    const offered = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"];
    const both = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    expect(await keysBy(both, ...offered)).toEqual(["rsa"]);
    // A list of groups may allow any.
    expect(await keysBy("HIGH:!aNULL", ...offered)).toEqual(["rsa", "ecdsa", "ed25519"]);
    expect(await keysBy(both)).toEqual(["rsa", "ecdsa", "ed25519"]);
  });
});
