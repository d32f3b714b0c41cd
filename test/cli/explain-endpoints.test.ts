import { expect, test } from "bun:test";
import { backendText, endpointsOf } from "../../src/cli/explain-endpoints.ts";
import { load } from "../config/folder.ts";

test("says of each service that is not written down where its endpoints come from", async () => {
  const { config } = await load({
    "torii.yaml": "redis: redis://127.0.0.1:6379\n",
    "routes/a.yaml": `services:
  named: { dns: { srv: _http._tcp.catalog.internal } }
  stored: {}
  own: { discover: memory }
routes: [{ name: a, backends: [{ service: named }, { service: stored }, { service: own, subset: { tags: [x] } }] }]
`,
  });
  const backends = config.routes[0]?.backends ?? [];
  expect(backends.map((backend) => endpointsOf(backend, config))).toEqual([null, null, null]);
  expect(backends.map((backend) => backendText({ ...backend, endpoints: null }, config))).toEqual([
    "backend  named (weight 1): endpoints are what DNS says of _http._tcp.catalog.internal; a running gateway knows them",
    "backend  stored (weight 1): endpoints register themselves in Redis (discover: redis); a running gateway knows them",
    "backend  own (weight 1, tag x): endpoints register themselves in the gateway's own process (discover: memory); a running gateway knows them",
  ]);
});

test("names those endpoints that belong to the backend's subset, or that there is none", async () => {
  const { config } = await load({
    "routes/a.yaml": `services:
  shop:
    endpoints:
      - { url: http://127.0.0.1:9001, version: "1" }
      - { url: http://127.0.0.1:9002, version: "2", tags: [canary, big], zone: eu-1 }
      - { url: http://127.0.0.1:9003, tags: [big] }
routes:
  - name: a
    backends:
      - { service: shop, subset: { version: "2" } }
      - { service: shop, subset: { tags: [big] } }
      - { service: shop, subset: { version: "1", tags: [big] } }
`,
  });
  const backends = config.routes[0]?.backends ?? [];
  const texts = backends.map((backend) => backendText({ ...backend, endpoints: endpointsOf(backend, config) }, config));
  expect(texts).toEqual([
    "backend  shop (weight 1, version 2): http://127.0.0.1:9002",
    "backend  shop (weight 1, tag big): http://127.0.0.1:9002, http://127.0.0.1:9003",
    "backend  shop (weight 1, version 1, tag big): no endpoint: 503 no_endpoint",
  ]);
});

test("says of a backend of an HTTPRoute that names no service what it answers", async () => {
  const { config } = await load({
    "routes/a.yaml": `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { rules: [{ backendRefs: [{ name: gone }] }] }
`,
  });
  const backends = config.routes[0]?.backends ?? [];
  const texts = backends.map((backend) => backendText({ ...backend, endpoints: endpointsOf(backend, config) }, config));
  expect(texts).toEqual(["backend  gone (weight 1): no service has this name: 500 backend_invalid"]);
});
