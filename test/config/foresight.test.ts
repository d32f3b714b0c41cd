import { describe, expect, test } from "bun:test";
import { load } from "./folder.ts";

async function warnings(services: string, routes = "", torii = ""): Promise<readonly string[]> {
  const loaded = await load({
    "torii.yaml": torii,
    "routes/a.yaml": `services: {${services}}\nroutes: [${routes}]\n`,
  });
  return loaded.warnings.map(({ file, line, field, message }) => `${file}:${line} ${field}: ${message}`);
}

const at = (facts: string) => `{ url: "http://127.0.0.1:9001"${facts} }`;
const PREFER = `s: { endpoints: [${at("")}], loadBalancing: { zone: prefer } }`;
const NO_ENDPOINTS =
  "routes/a.yaml:1 services.s: has no endpoints, and without redis in torii.yaml nobody can register any: all requests get 503; write endpoints or dns, or set redis";

describe("what can only fail is a warning:", () => {
  const rows: readonly (readonly [what: string, services: string, said: readonly string[]])[] = [
    ["a service without endpoints, redis and dns", "s: {}", [NO_ENDPOINTS]],
    ["the same, written as nothing", "s: ", [NO_ENDPOINTS]],
    [
      "endpoints that are none",
      "s: { endpoints: [] }",
      ["routes/a.yaml:1 services.s.endpoints: are none, so that all requests get 503; write one with a weight above 0"],
    ],
    [
      "weights that are all 0",
      `s: { endpoints: [${at(", weight: 0")}] }`,
      [
        "routes/a.yaml:1 services.s.endpoints: all have weight 0, so that all requests get 503; write one with a weight above 0",
      ],
    ],
    [
      "a zone that is preferred by a gateway that has none",
      PREFER,
      [
        "routes/a.yaml:1 services.s.loadBalancing.zone: prefers no zone, as torii.yaml does not say where the gateway stands; set zone there",
      ],
    ],
  ];
  test.each(rows)("%s", async (_, services, said) => {
    expect(await warnings(services)).toEqual(said);
  });

  test.each([
    ["services that register in the process, as it is written", "s: { discover: memory }", ""],
    ["services that register in Redis", "s: {}", "redis: redis://127.0.0.1:6379"],
    ["endpoints from DNS", "s: { dns: { name: s.test, port: 80 } }", ""],
    ["one of two weights that is 0", `s: { endpoints: [${at(", weight: 0, id: a")}, ${at("")}] }`, ""],
    ["a zone where the gateway has one", PREFER, "zone: z1"],
  ])("not %s", async (_, services, torii) => {
    expect(await warnings(services, "", torii)).toEqual([]);
  });
});

describe("a backend's subset", () => {
  const old = at(', version: "1", weight: 0, id: old');
  const services = `s: { endpoints: [${old}, ${at(', version: "2", tags: [a]')}] }, m: { discover: memory }`;
  const route = (service: string, subset: string) =>
    `{ name: r, backends: [{ service: ${service}, subset: { ${subset} } }] }`;

  test.each([
    ['version: "3"', "version 3, which fits no endpoint"],
    ['version: "2", tags: [b]', "version 2, tag b, which fits no endpoint"],
    ['version: "1"', "version 1, which fits only endpoints of weight 0"],
  ])("of %s is a warning", async (subset, what) => {
    expect(await warnings(services, route("s", subset))).toEqual([
      `routes/a.yaml:2 routes[0].backends[0]: asks for ${what} of service "s": its share of the requests gets 503; correct the subset, or the endpoints`,
    ]);
  });

  test.each([
    ["s", 'version: "2", tags: [a]'],
    ["m", 'version: "9"'],
  ])("of %s with %s is none", async (service, subset) => {
    expect(await warnings(services, route(service, subset))).toEqual([]);
  });
});

describe("a backend of an HTTPRoute", () => {
  async function said(refs: string): Promise<readonly string[]> {
    const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  rules:
    - backendRefs:
        ${refs}
`;
    const services = `services: { shop: { discover: memory } }\n`;
    const loaded = await load({ "torii.yaml": "", "routes/a.yaml": services, "routes/b.yaml": route });
    return loaded.warnings.map(({ file, line, field, message }) => `${file}:${line} ${field}: ${message}`);
  }

  test("that nobody defines is a warning, unless it gets nothing", async () => {
    expect(await said("- { name: shop2, port: 80 }")).toEqual([
      'routes/b.yaml:7 spec.rules[0].backendRefs[0]: "shop2" is a service that nobody defines: its share gets 500; did you mean "shop"?',
    ]);
    expect((await said("- { name: other, port: 80 }"))[0]).toEndWith("gets 500; define it under services");
    expect(await said("- { name: other, port: 80, weight: 0 }\n        - { name: shop, port: 80 }")).toEqual([]);
  });
});
