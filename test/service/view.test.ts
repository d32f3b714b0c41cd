import { expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import type { ServiceOptions } from "../../src/service/options.ts";
import { createService } from "../../src/service/service.ts";
import { serviceView } from "../../src/service/view-schema.ts";
import { closedPort } from "../support/unreachable.ts";
import { breakerOptions, forward, outlierOptions, serviceDeps, serviceOptions } from "./support.ts";

const OUTLIERS = outlierOptions();
const BREAKER = breakerOptions({ maxRequests: 9, maxPending: 7, minRequests: 1, openForMs: 20_000 });

async function open(options: Partial<ServiceOptions>) {
  const url = `http://127.0.0.1:${closedPort()}`;
  const spec = { id: "a", url, weight: 2, zone: "z1", version: "7", tags: ["x"] };
  const service = createService(
    "shop",
    serviceOptions({ panicPercent: 0, ...options }),
    serviceDeps(createStaticRegistry({ shop: [spec] })),
  );
  await service.ready;
  return { service, url, view: () => serviceView.parse(service.view()), [Symbol.dispose]: () => service.close() };
}

const leftMs = (instant: string | null | undefined) => Date.parse(instant ?? "") - Date.now();

test("a service shows its endpoints as the registry told them", async () => {
  using shop = await open({});
  const { endpoints, ...rest } = shop.view();
  expect(rest).toMatchObject({
    name: "shop",
    registry: { source: "memory", failure: null },
    policy: "round_robin",
    isPanic: false,
    breaker: null,
    totals: { ejections: 0, breakerOpens: 0, retries: {}, hedges: {} },
  });
  expect(Math.abs(leftMs(rest.registry.changedAt))).toBeLessThan(5000);
  expect(endpoints).toMatchObject([
    {
      ...{ id: "a", url: shop.url, weight: 2, zone: "z1", version: "7", tags: ["x"] },
      ...{ isUsed: true, health: null, absences: [], inFlight: 0 },
      connections: { open: 0, idle: 0, passages: 0 },
    },
  ]);
});

test("a service shows whom it ejected and until when, and why its breaker opened", async () => {
  using shop = await open({ outliers: OUTLIERS, breaker: BREAKER });
  expect((await forward(shop.service)).outcome).toBe("upstream_connect");
  const { endpoints, breaker, totals } = shop.view();
  expect(endpoints).toMatchObject([
    { isUsed: false, absences: [{ reason: "ejected", cause: "consecutive_failures", times: 1, workers: 1 }] },
  ]);
  const left = leftMs(endpoints[0]?.absences[0]?.until);
  expect(left).toBeGreaterThan(20_000);
  expect(left).toBeLessThanOrEqual(30_000);
  // The request is not over yet: nobody has read its end.
  expect(breaker).toMatchObject({
    ...{ state: "open", open: 1, closed: 0, halfOpen: 0, inFlight: 1, maxRequests: 9, pending: 0, maxPending: 7 },
    openedFor: { total: 1, failures: 1, slow: 0 },
  });
  expect(leftMs(breaker?.until)).toBeGreaterThan(10_000);
  expect(totals).toMatchObject({ ejections: 1, breakerOpens: 1 });
});

test("a service shows the subsets that are asked for, and what stays in its zone", async () => {
  using shop = await open({ zone: "z2" });
  expect(shop.view()).toMatchObject({ zoneShare: 0, subsets: [] });
  const subset = shop.service.subset({ version: "7", tags: ["x"] });
  const empty = shop.service.subset({ version: "8", tags: [] });
  expect(shop.view().subsets).toEqual([
    { name: "version 7, tag x", isPanic: false, used: 1, zoneShare: 0 },
    { name: "version 8", isPanic: false, used: 0, zoneShare: 0 },
  ]);
  expect(shop.view().endpoints).toMatchObject([{ isUsed: true, isSpare: false }]);
  subset.close();
  empty.close();
  expect(shop.view().subsets).toEqual([]);
});

test("an endpoint's health is not known before its first check", async () => {
  using shop = await open({
    health: {
      ...{ type: "tcp", path: "", host: null, statuses: [], grpcService: "" },
      ...{ intervalMs: 60_000, timeoutMs: 1000, healthyAfter: 1, unhealthyAfter: 1 },
    },
  });
  const unknown = { state: "unknown" as const, reason: null, passing: 0, failing: 0, unknown: 1 };
  expect(shop.view().endpoints[0]?.health).toEqual(unknown);
});

test("a registry that fails is told, with what was known", async () => {
  const service = createService(
    "shop",
    serviceOptions(),
    serviceDeps({
      // biome-ignore lint/correctness/useYield: it fails before it tells anything
      async *watch(): AsyncGenerator<never> {
        throw new Error("gone");
      },
    }),
  );
  await service.ready;
  expect(service.view()).toMatchObject({ registry: { changedAt: null, failure: "Error: gone" }, endpoints: [] });
  service.close();
});
