import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { crc32c } from "../../src/wire/crc32c.ts";
import { type ProxyHeader, parseProxyHeader } from "../../src/wire/proxy-protocol.ts";
import { seededRandom } from "../support/chance.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
/** 192.0.2.1:56324 to 198.51.100.7:443. */
const V4_ADDRESSES = "c0000201c6336407dc0401bb";
const V6_ADDRESSES = "20010db800000000000000000000000120010db8000000000000000000000002dc0401bb";

function v1(line: string): Buffer {
  return Buffer.from(`${line}\r\n`, "latin1");
}

function v2(commandAndFamily: string, block: string): Buffer {
  const length = (block.length / 2).toString(16).padStart(4, "0");
  return Buffer.from(`${SIGNATURE}${commandAndFamily}${length}${block}`, "hex");
}

/** The block with a right checksum of the whole header in a TLV behind it. */
function withChecksum(commandAndFamily: string, block: string): Buffer {
  const bytes = v2(commandAndFamily, `${block}03000400000000`);
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  return bytes;
}

const V4 = { from: { address: "192.0.2.1", port: 56324 }, to: { address: "198.51.100.7", port: 443 } };
const V6 = { from: { address: "2001:db8::1", port: 56324 }, to: { address: "2001:db8::2", port: 443 } };
const LONGEST = `PROXY UNKNOWN ${"f".repeat(91)}`;

const GOOD: readonly (readonly [name: string, bytes: Buffer, addresses: ProxyHeader["addresses"]])[] = [
  ["a TCP4 line", v1("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443"), V4],
  ["a TCP6 line", v1("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443"), V6],
  ["a TCP6 line written out, in upper case", v1("PROXY TCP6 2001:0DB8:0:0:0:0:0:1 2001:DB8::2 56324 443"), V6],
  ["IPv4 mapped into TCP6", v1("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 56324 443"), V4],
  [
    "the greatest ports",
    v1("PROXY TCP4 0.0.0.0 255.255.255.255 65535 0"),
    {
      from: { address: "0.0.0.0", port: 65535 },
      to: { address: "255.255.255.255", port: 0 },
    },
  ],
  ["UNKNOWN alone", v1("PROXY UNKNOWN"), null],
  ["UNKNOWN with anything behind it", v1("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535"), null],
  ["the longest line", v1(LONGEST), null],
  ["TCP over IPv4", v2("2111", V4_ADDRESSES), V4],
  ["TCP over IPv6", v2("2121", V6_ADDRESSES), V6],
  ["IPv4 mapped into IPv6", v2("2121", `00000000000000000000ffffc000020100000000000000000000ffffc6336407dc0401bb`), V4],
  ["TLVs behind the addresses", v2("2111", `${V4_ADDRESSES}0100026832040000ea0003616263`), V4],
  ["a right checksum", withChecksum("2111", `${V4_ADDRESSES}010002${"6832"}`), V4],
  [
    "what HAProxy 2.6 sends with a checksum and a unique id",
    v2("2111", "7f0000017f000001e02046b70300042ac9144105000d6162632d343636333337353430"),
    { from: { address: "127.0.0.1", port: 57376 }, to: { address: "127.0.0.1", port: 18103 } },
  ],
  ["LOCAL without a family", v2("2000", ""), null],
  ["LOCAL with a family, which does not count", v2("2011", V4_ADDRESSES), null],
  ["LOCAL with a family nobody knows", v2("20ff", "0102"), null],
  ["PROXY without a family", v2("2100", ""), null],
  ["PROXY without a family, with something in the block", v2("2100", "ffffff"), null],
  ["UDP, whose addresses are not this connection's", v2("2112", V4_ADDRESSES), null],
  ["a UNIX socket", v2("2131", "2f".repeat(216)), null],
];

describe("a header is read", () => {
  test.each(GOOD)("%s", (_name, bytes, addresses) => {
    const parsed = parseProxyHeader(bytes);
    expect(parsed?.header.addresses).toEqual(addresses);
    expect(parsed?.header.version).toBe(bytes[0] === 0x50 ? "v1" : "v2");
    expect(parsed?.length).toBe(bytes.length);
  });

  test.each(GOOD)("%s, with the connection's bytes behind it", (_name, bytes) => {
    expect(parseProxyHeader(Buffer.concat([bytes, Buffer.from("\r\nGET")]))?.length).toBe(bytes.length);
  });

  test.each(GOOD)("%s, asking for more at every byte before the last", (_name, bytes) => {
    for (let length = 0; length < bytes.length; length++)
      expect(parseProxyHeader(bytes.subarray(0, length))).toBeNull();
  });
});

const BAD: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\n")],
  ["a ClientHello", Buffer.from("160301", "hex")],
  ["a lower-case word", Buffer.from("proxy")],
  ["another word that begins alike", Buffer.from("PROXX")],
  ["an empty line", Buffer.from("\r\n\r\nX")],
  ["two spaces", v1("PROXY TCP4  192.0.2.1 198.51.100.7 56324 443")],
  ["a tab", v1("PROXY TCP4\t192.0.2.1 198.51.100.7 56324 443")],
  ["a space at the end", v1("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 ")],
  ["a family nobody knows", v1("PROXY TCP5 192.0.2.1 198.51.100.7 56324 443")],
  ["UDP in version 1", v1("PROXY UDP4 192.0.2.1 198.51.100.7 56324 443")],
  ["UNKNOWN grown together with what follows", v1("PROXY UNKNOWNX")],
  ["a control behind UNKNOWN", v1("PROXY UNKNOWN a\0b")],
  ["a missing port", v1("PROXY TCP4 192.0.2.1 198.51.100.7 56324")],
  ["a port too great", v1("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443")],
  ["a port with a leading zero", v1("PROXY TCP4 192.0.2.1 198.51.100.7 056 443")],
  ["a port with a sign", v1("PROXY TCP4 192.0.2.1 198.51.100.7 +56 443")],
  ["an address with a leading zero", v1("PROXY TCP4 192.0.2.01 198.51.100.7 56324 443")],
  ["an address of three numbers", v1("PROXY TCP4 192.0.2 198.51.100.7 56324 443")],
  ["IPv6 in TCP4", v1("PROXY TCP4 2001:db8::1 2001:db8::2 56324 443")],
  ["IPv4 in TCP6", v1("PROXY TCP6 192.0.2.1 198.51.100.7 56324 443")],
  ["an IPv6 address of nine groups", v1("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 56324 443")],
  ["an IPv6 address with two gaps", v1("PROXY TCP6 1::2::3 ::1 56324 443")],
  ["a bare line feed", Buffer.from(`PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n${"x".repeat(80)}`)],
  ["a line one byte too long", v1(`${LONGEST}f`)],
  ["a line without an end", Buffer.from(`PROXY UNKNOWN ${"f".repeat(93)}`)],
  ["version 1 in the signature of version 2", Buffer.from(`${SIGNATURE}11`, "hex")],
  ["version 3", Buffer.from(`${SIGNATURE}31`, "hex")],
  ["a command nobody knows", Buffer.from(`${SIGNATURE}22`, "hex")],
  ["a family nobody knows in version 2", Buffer.from(`${SIGNATURE}2141`, "hex")],
  ["a transport nobody knows", Buffer.from(`${SIGNATURE}2113`, "hex")],
  ["half a family", Buffer.from(`${SIGNATURE}2101`, "hex")],
  ["fewer bytes than IPv4 addresses", v2("2111", V4_ADDRESSES.slice(2))],
  ["fewer bytes than IPv6 addresses", v2("2121", V4_ADDRESSES)],
  ["fewer bytes than UNIX paths", v2("2131", "2f".repeat(215))],
  ["a block too long, told by its length alone", Buffer.from(`${SIGNATURE}21111001`, "hex")],
  ["half the head of a TLV", v2("2111", `${V4_ADDRESSES}0100`)],
  ["a TLV beyond the end", v2("2111", `${V4_ADDRESSES}01000368`)],
  ["a wrong checksum", v2("2111", `${V4_ADDRESSES}03000400000000`)],
  ["a checksum of three bytes", v2("2111", `${V4_ADDRESSES}030003000000`)],
];

describe("no header is", () => {
  test.each(BAD)("%s", (_name, bytes) => {
    expect(() => parseProxyHeader(bytes)).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});

test("the longest block is read, and nothing beyond it", () => {
  const tlv = `e0${(4096 - 15).toString(16).padStart(4, "0")}${"00".repeat(4096 - 15)}`;
  const bytes = v2("2111", `${V4_ADDRESSES}${tlv}`);
  expect(bytes.length).toBe(4112);
  expect(parseProxyHeader(bytes)).toEqual({ header: { version: "v2", addresses: V4 }, length: 4112 });
});

test("what became of a header by chance is read, waited for or refused as bad_request, the same however it is cut", () => {
  const random = seededRandom(3);
  const below = (bound: number) => Math.floor(random() * bound);
  let read = 0;
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(GOOD[below(GOOD.length)]?.[1] ?? Buffer.alloc(1));
    for (let change = below(3); change >= 0; change--) bytes[below(bytes.length)] = below(256);
    const whole = verdict(bytes);
    if (whole === "refused") refused++;
    else if (whole !== null) read++;
    // A beginning may only ask for more, or already say what the whole says.
    const part = verdict(bytes.subarray(0, below(bytes.length)));
    if (part !== null) expect<unknown>(part).toEqual(whole);
  }
  expect(read).toBeGreaterThan(1000);
  expect(refused).toBeGreaterThan(1000);
});

function verdict(bytes: Buffer): ReturnType<typeof parseProxyHeader> | "refused" {
  try {
    return parseProxyHeader(bytes);
  } catch (error) {
    if (error instanceof GatewayError && error.code === "bad_request") return "refused";
    throw error;
  }
}

test("CRC32c is that of RFC 9260's polynomial", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});
