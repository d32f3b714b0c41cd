import { describe, expect, test } from "bun:test";
import { load } from "./folder.ts";

const TORII = `listeners:
  - { name: http, port: 8080 }
  - { name: db, port: 5432, protocol: tcp }
`;

async function warnings(routes: string): Promise<readonly string[]> {
  const services = `services: { s: { proxyProtocol: v1, endpoints: [{ url: "http://127.0.0.1:9001" }] } }\n`;
  const loaded = await load({ "torii.yaml": TORII, "routes/a.yaml": `${services}routes: [${routes}]\n` });
  return loaded.warnings.map(({ file, line, field, message }) => `${file}:${line} ${field}: ${message}`);
}

const WEB = "{ name: web, backends: [{ service: s }] }";
const BYTES = "{ name: bytes, listeners: [db], backends: [{ service: s }] }";

describe("a service with proxyProtocol", () => {
  test("is a warning where only routes of HTTP use it, as they send no such header", async () => {
    expect(await warnings(WEB)).toEqual([
      "routes/a.yaml:1 services.s.proxyProtocol: is not sent to a service of HTTP routes, only by routes that pass bytes; remove it",
    ]);
  });

  test.each([
    ["nobody", ""],
    ["a route that passes bytes", BYTES],
    ["routes of both kinds", `${WEB}, ${BYTES}`],
  ])("is none where it is used by %s", async (_, routes) => {
    expect(await warnings(routes)).toEqual([]);
  });
});
