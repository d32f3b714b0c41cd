import { describe, expect, test } from "bun:test";
import { addressBytes, addressMatcher, isAddressRange } from "../../src/wire/address.ts";

const zeros = (count: number) => new Array<number>(count).fill(0);

describe("an address's bytes", () => {
  const rows: readonly (readonly [text: string, bytes: readonly number[] | null])[] = [
    ["10.1.2.3", [10, 1, 2, 3]],
    ["0.0.0.0", [0, 0, 0, 0]],
    ["255.255.255.255", [255, 255, 255, 255]],
    ["::", zeros(16)],
    ["::1", [...zeros(15), 1]],
    ["1::", [0, 1, ...zeros(14)]],
    ["2001:DB8::a:0", [0x20, 0x01, 0x0d, 0xb8, ...zeros(8), 0, 0x0a, 0, 0]],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
    ["::ffff:10.1.2.3", [10, 1, 2, 3]],
    ["::FFFF:10.1.2.3", [10, 1, 2, 3]],
    ["::ffff:7f00:1", [127, 0, 0, 1]],
    ["64:ff9b::1.2.3.4", [0, 0x64, 0xff, 0x9b, ...zeros(8), 1, 2, 3, 4]],
    ["010.0.0.1", null],
    ["", null],
    ["10.1.2", null],
    ["10.1.2.3.4", null],
    ["10.1.2.256", null],
    ["10.1.2.-3", null],
    ["10.1.2.3 ", null],
    ["10.1..3", null],
    ["10.1.2.3:80", null],
    ["::ffff:10.1.2.300", null],
    ["1:2:3:4:5:6:7", null],
    ["1:2:3:4:5:6:7:8:9", null],
    ["1:2:3:4:5:6:7:8::", null],
    ["1::2::3", null],
    [":::", null],
    ["1:::2", null],
    ["12345::", null],
    ["g::", null],
    ["[::1]", null],
    ["fe80::1%eth0", null],
    ["unknown", null],
  ];
  test.each(rows)("of %j are %j", (text, bytes) => {
    expect(addressBytes(text)).toEqual(bytes as number[] | null);
  });
});

describe("an address or range", () => {
  test.each([
    ["10.0.0.0/8", true],
    ["10.0.0.1", true],
    ["0.0.0.0/0", true],
    ["10.0.0.1/32", true],
    ["fd00::/8", true],
    ["::1/128", true],
    ["::/0", true],
    ["::ffff:10.0.0.0/104", true],
    ["10.0.0.0/8/9", false],
    ["10.0.0.0/33", false],
    ["::/129", false],
    ["10.0.0.0/", false],
    ["10.0.0.0/-1", false],
    ["10.0.0.0/8.0", false],
    ["10.0.0.0/255.0.0.0", false],
    ["/8", false],
    ["10.0.0/8", false],
    ["private", false],
    ["", false],
  ])("%j is one: %p", (text, isRange) => {
    expect(isAddressRange(text)).toBe(isRange);
  });
});

describe("a matcher of", () => {
  const rows: readonly (readonly [range: string, inside: readonly string[], outside: readonly string[]])[] = [
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1"], ["9.255.255.255", "11.0.0.0", "::10.0.0.1"]],
    ["192.168.4.0/22", ["192.168.4.0", "192.168.7.255"], ["192.168.3.255", "192.168.8.0"]],
    ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]],
    ["192.0.2.7", ["192.0.2.7"], ["192.0.2.6", "192.0.2.70"]],
    ["192.0.2.77/24", ["192.0.2.1"], ["192.0.3.1"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["::1"]],
    ["::/0", ["::1", "fd00::1"], ["1.2.3.4"]],
    ["2001:db8::/33", ["2001:db8::1", "2001:db8:7fff::1"], ["2001:db8:8000::1"]],
    ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
  ];
  test.each(rows)("%s", (range, inside, outside) => {
    const matches = addressMatcher([range]);
    expect(inside.filter((address) => !matches(address))).toEqual([]);
    expect(outside.filter(matches)).toEqual([]);
  });

  test("several takes what any of them takes", () => {
    const matches = addressMatcher(["10.0.0.0/8", "fd00::/8"]);
    expect(["10.1.1.1", "fd12::1", "192.0.2.1"].map(matches)).toEqual([true, true, false]);
  });

  test("none, or what is no address, matches nothing", () => {
    expect(addressMatcher([])("10.0.0.1")).toBe(false);
    expect(addressMatcher(["0.0.0.0/0", "::/0"])("unknown")).toBe(false);
    expect(addressMatcher(["nonsense", "10.0.0.0/8"])("10.0.0.1")).toBe(true);
  });
});
