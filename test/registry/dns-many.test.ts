import { expect, test } from "bun:test";
import { createDnsClient } from "../../src/registry/dns-client.ts";
import { startDnsServer } from "../support/dns-server.ts";

test("every one of a thousand addresses has a TTL: one without would be asked for without a pause", async () => {
  const addresses = Array.from({ length: 1000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  const server = await startDnsServer({ many: addresses.map((address) => ({ type: "A", address, ttl: 60 }) as const) });
  try {
    const answer = await createDnsClient(server.address, (question) => question()).ipv4("many");
    const records = answer.state === "found" ? answer.records : [];
    expect(records).toHaveLength(1000);
    expect(records.filter(({ ttl }) => ttl !== 60)).toEqual([]);
  } finally {
    server.close();
  }
});
