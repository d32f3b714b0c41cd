import { describe, expect, test } from "bun:test";
import { proxyHeader } from "../../../src/wire/l4/proxy-header.ts";
import { parseProxyHeader } from "../../../src/wire/proxy-protocol.ts";

const V4_FROM = { address: "192.0.2.1", port: 56324 };
const V4_TO = { address: "198.51.100.7", port: 443 };
const V6_FROM = { address: "2001:db8::1", port: 56324 };
const V6_TO = { address: "2001:db8::2", port: 443 };

describe("version 1 writes", () => {
  test.each([
    ["IPv4", V4_FROM, V4_TO, "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"],
    ["IPv6", V6_FROM, V6_TO, "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"],
    [
      "a mapped address as IPv4",
      V4_FROM,
      { address: "::ffff:198.51.100.7", port: 443 },
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
    ],
    [
      "a link-local address without its interface",
      { address: "fe80::1%eth0", port: 1 },
      V6_TO,
      "PROXY TCP6 fe80::1 2001:db8::2 1 443\r\n",
    ],
    ["UNKNOWN for both kinds together", V4_FROM, V6_TO, "PROXY UNKNOWN\r\n"],
    ["UNKNOWN for what is no address", { address: "", port: 0 }, V4_TO, "PROXY UNKNOWN\r\n"],
  ])("%s", (_name, from, to, line) => {
    expect(proxyHeader("v1", from, to).toString()).toBe(line);
  });
});

describe("version 2 writes", () => {
  test.each([
    ["IPv4", V4_FROM, V4_TO, "2111000cc0000201c6336407dc0401bb"],
    ["IPv6", V6_FROM, V6_TO, "2121002420010db800000000000000000000000120010db8000000000000000000000002dc0401bb"],
    [
      "IPv4 to IPv6 as mapped",
      V4_FROM,
      V6_TO,
      "2121002400000000000000000000ffffc000020120010db8000000000000000000000002dc0401bb",
    ],
    ["no family for what is no address", { address: "", port: 0 }, V4_TO, "21000000"],
  ])("%s", (_name, from, to, hex) => {
    expect(proxyHeader("v2", from, to).toString("hex")).toBe(`0d0a0d0a000d0a515549540a${hex}`);
  });
});

test.each(["v1", "v2"] as const)("what version %s writes is read back", (version) => {
  for (const [from, to] of [
    [V4_FROM, V4_TO],
    [V6_FROM, V6_TO],
  ] as const) {
    const bytes = proxyHeader(version, from, to);
    expect(parseProxyHeader(bytes)).toEqual({ header: { version, addresses: { from, to } }, length: bytes.length });
  }
});
