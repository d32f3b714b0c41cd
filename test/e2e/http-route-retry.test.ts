import { expect, test } from "bun:test";
import { stringify } from "yaml";
import { get, request } from "../support/forward.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { startGateway } from "../support.ts";

const MISSING = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

test("an HTTPRoute's retry sends again what its codes name, after its backoff, and nothing that must not be twice", async () => {
  await using sad = startAnswering(() => MISSING);
  await using well = startAnswering(() => ok("well"));
  const endpoints = [sad, well].map(({ url }, at) => ({ url, id: `e${at}` }));
  const services = { shop: { endpoints, loadBalancing: { policy: "round_robin" } } };
  const route = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "shop" },
    spec: { rules: [{ retry: { codes: [404], backoff: "100ms" }, backendRefs: [{ name: "shop" }] }] },
  };
  await using gateway = await startGateway({
    files: { "routes/services.yaml": stringify({ services }), "routes/shop.yaml": stringify(route) },
  });
  const startedAt = performance.now();
  expect((await gateway.exchange(get())).body.toString()).toBe("well");
  expect(performance.now() - startedAt).toBeGreaterThan(95);
  expect(await gateway.logged(({ attempts }) => attempts === 2)).toMatchObject({
    decisions: [{ policy: "retry", outcome: "404", about: "e0" }],
  });
  expect((await gateway.exchange(request("POST /", "Content-Length: 0"))).status).toBe(404);
});
