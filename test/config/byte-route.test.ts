import { describe, expect, test } from "bun:test";
import { faults, load } from "./folder.ts";

const TORII = `trustedProxies: [10.0.0.0/8]
listeners:
  - { name: http, port: 8080 }
  - { name: db, port: 5432, protocol: tcp, proxyProtocol: true }
  - { name: names, port: 8443, protocol: tls_passthrough, hostnames: ["*.example.com"] }
defaults: { timeout: 5s, plugins: [{ use: respond, with: { status: 200 } }] }
`;

async function routes(text: string) {
  return (await load({ "torii.yaml": TORII, "routes/a.yaml": `services: { s: }\nroutes:\n${text}` })).config.routes;
}

describe("a route whose listeners pass bytes", () => {
  test("has hostnames, backends and a priority, and takes nothing from the defaults", async () => {
    const [a, b] = await routes(`
  - { name: a, listeners: [names], hostnames: [a.example.com], priority: high, backends: [{ service: s, weight: 2 }] }
  - { name: b, listeners: [db, names], backends: [{ service: s }] }
`);
    expect(a).toMatchObject({ isPassthrough: true, hostnames: ["a.example.com"], priority: "high", plugins: [] });
    expect(a?.backends).toMatchObject([{ service: "s", weight: 2 }]);
    expect(b).toMatchObject({ isPassthrough: true, timeoutMs: 0, listeners: ["db", "names"] });
  });

  test("stands beside routes of HTTP, which keep theirs", async () => {
    const [a, b] = await routes(`
  - { name: a, priority: low }
  - { name: b, listeners: [http] }
`);
    expect([a?.isPassthrough, a?.priority, a?.listeners, a?.timeoutMs]).toEqual([false, "low", null, 5000]);
    expect([b?.isPassthrough, b?.priority, b?.plugins.length]).toEqual([false, "normal", 1]);
  });

  test("is told what it cannot do in a TypeScript file too", async () => {
    const found = await faults({
      "torii.yaml": TORII,
      "routes/a.ts": `export default {
  services: { s: {} },
  routes: [{ name: "a", listeners: ["db"], timeout: "5s", backends: [{ service: "s" }] }],
};
`,
    });
    expect(found).toEqual([
      "routes/a.ts:3:44 routes[0].timeout: means nothing here, as the route's listeners pass bytes unread; remove it",
    ]);
  });
});
