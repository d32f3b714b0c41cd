import { describe, expect, test } from "bun:test";
import { endpointOf } from "../../src/registry/mesh-record.ts";

function read(load: unknown) {
  return endpointOf({ id: "one", json: JSON.stringify({ url: "http://h:1", load }) });
}

describe("the load that an endpoint tells in Redis", () => {
  test("is read, in whole or in part, and what nobody knows is passed over", () => {
    expect(read({ cpu: 0.5, memory: 1, inFlight: 3, disk: 1 })).toMatchObject({
      load: { cpu: 0.5, memory: 1, inFlight: 3 },
    });
    expect(read({ inFlight: 0 })).toEqual({ id: "one", url: "http://h:1", weight: 1, load: { inFlight: 0 } });
    expect(read(null)).not.toHaveProperty("load");
  });

  test("counts as the whole where a burst passed it", () => {
    expect(read({ cpu: 1.2 })).toMatchObject({ load: { cpu: 1 } });
  });

  for (const load of [1, [], "busy", { cpu: "0.5" }, { memory: -1 }, { cpu: 85 }]) {
    test(`is a fault as ${JSON.stringify(load)}`, () => {
      expect(read(load)).toMatchObject({ reason: "bad_field", detail: expect.stringContaining("its load must be") });
    });
  }
});
