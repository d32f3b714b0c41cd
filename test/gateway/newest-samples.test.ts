import { expect, test } from "bun:test";
import { newestSamples, oneSample } from "../../src/gateway/newest-samples.ts";

const services = [
  { name: "shop", ejected: 2, zones: { a: 1 } },
  { name: "cart", ejected: null, zones: {} },
  { name: "shop", ejected: 1, zones: { a: 3, b: 4 } },
];

test("of a service with old options and new ones the newer tells, and both are not added up", () => {
  expect([...newestSamples(services, ({ ejected }) => oneSample(ejected))]).toEqual([{ labels: ["shop"], value: 1 }]);
});

test("each of a service's own labels stands behind its name", () => {
  const zonesOf = ({ zones }: (typeof services)[number]) =>
    Object.entries(zones).map(([zone, value]) => ({ labels: [zone], value }));
  expect([...newestSamples(services, zonesOf)]).toEqual([
    { labels: ["shop", "a"], value: 3 },
    { labels: ["shop", "b"], value: 4 },
  ]);
});
