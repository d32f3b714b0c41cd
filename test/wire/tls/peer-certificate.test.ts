import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readCertificate } from "../../../src/wire/tls/peer-certificate.ts";
import { authority, type LeafSpec } from "../../support/certificates.ts";

const ca = authority();

function read(spec: LeafSpec) {
  return readCertificate(new X509Certificate(ca.issue(spec).cert).raw);
}

describe("a client's certificate", () => {
  test("says who it was made out for, by whom and until when, as the runtime's own reader does", () => {
    const x509 = new X509Certificate(ca.issue({ usage: "client", commonName: "shop", names: ["a.test"] }).cert);
    expect(readCertificate(x509.raw)).toEqual({
      subject: "O=Torii,CN=shop",
      issuer: "CN=Torii Test CA,O=Torii",
      serialNumber: x509.serialNumber,
      dns: ["a.test"],
      uris: [],
      spiffeId: null,
      fingerprint: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
      notAfterAt: Date.parse(x509.validTo),
    });
  });

  test("is read with every kind of key, and without names", () => {
    for (const keyType of ["rsa", "ecdsa", "ed25519"] as const) {
      expect(read({ commonName: "x", keyType })).toMatchObject({ dns: [], uris: [], spiffeId: null });
    }
  });

  test("has its names by kind and in order, the SPIFFE ID among them", () => {
    const spec: LeafSpec = {
      commonName: "shop",
      names: ["b.test", "a.test"],
      otherNames: ["URI:https://a.test/x", "URI:spiffe://mesh.test/ns/shop", "IP:10.0.0.1", "email:a@b.test"],
    };
    expect(read(spec)).toMatchObject({
      dns: ["b.test", "a.test"],
      uris: ["https://a.test/x", "spiffe://mesh.test/ns/shop"],
      spiffeId: "spiffe://mesh.test/ns/shop",
    });
  });

  test("cannot be made to look like another one by signs in its names", () => {
    expect(read({ commonName: 'a,CN=admin+O=x;"\\ <é\u{1f980}' }).subject).toBe(
      "O=Torii,CN=a\\,CN=admin\\+O=x\\;\\22\\5C \\<\\C3\\A9\\F0\\9F\\A6\\80",
    );
    expect(read({ commonName: "#1 x " }).subject).toBe("O=Torii,CN=\\#1 x\\ ");
  });

  test("is refused when it is none, or cut short", () => {
    const { raw } = new X509Certificate(ca.issue({ commonName: "shop" }).cert);
    expect(() => readCertificate(Buffer.alloc(0))).toThrow(RangeError);
    for (let length = 0; length < raw.length; length += 7) {
      expect(() => readCertificate(raw.subarray(0, length))).toThrow(RangeError);
    }
  });
});
