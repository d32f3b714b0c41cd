import { describe, expect, test } from "bun:test";
import { hostMatches, parseHostname } from "../../src/route/hostname.ts";

describe("parseHostname", () => {
  test("gives names, wildcards and addresses in lower case", () => {
    const given = ["Shop.Example.com", "*.Example.com", "localhost", "127.0.0.1", "[::1]", "*", "a_b.svc"];
    expect(given.map(parseHostname)).toEqual(given.map((text) => text.toLowerCase()));
  });

  const faults: readonly (readonly [text: string, what: string])[] = [
    ["", "it is empty; leave hostnames out to serve every host"],
    ["a.com:80", "give the host alone, without port; IPv6 addresses stand in brackets"],
    ["http://a.com", "give the host alone, without scheme and path"],
    ["a..com", "it has an empty label"],
    ["*.", "it has an empty label"],
    ["a.*.com", 'a "*" may stand only as the whole first label, as in *.example.com'],
    ["*a.com", 'a "*" may stand only as the whole first label, as in *.example.com'],
    ["-a.com", 'the label "-a" is not valid'],
    ["shöp.com", 'the label "shöp" is not valid'],
    [`${"a.".repeat(130)}com`, "it is longer than 253 characters"],
  ];
  for (const [text, what] of faults) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))} with a reason`, () => {
      expect(() => parseHostname(text)).toThrow(`${JSON.stringify(text)} is no hostname: ${what}`);
    });
  }
});

describe("hostMatches", () => {
  test("takes one label or more for the star, never the name itself", () => {
    const hosts = ["a.example.com", "a.b.example.com", "example.com", ".example.com", "xexample.com"];
    expect(hosts.filter((host) => hostMatches("*.example.com", host))).toEqual(["a.example.com", "a.b.example.com"]);
  });
});
