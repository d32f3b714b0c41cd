import { expect, test } from "bun:test";
import { createIds } from "../../src/telemetry/id.ts";

test("ids are 32 lower-case hex digits and do not repeat across blocks", () => {
  const id = createIds();
  const ids = Array.from({ length: 2000 }, id);
  expect(ids.filter((each) => !/^[0-9a-f]{32}$/.test(each))).toEqual([]);
  expect(new Set(ids).size).toBe(2000);
});

test("random bytes are fetched a block at a time, when they are needed", () => {
  let calls = 0;
  const id = createIds((bytes) => bytes.fill(++calls));
  expect(calls).toBe(0);
  const ids = Array.from({ length: 513 }, id);
  expect(calls).toBe(2);
  expect([ids[0], ids[511], ids[512]]).toEqual(["01".repeat(16), "01".repeat(16), "02".repeat(16)]);
});
