import { expect, test } from "bun:test";
import { eventually } from "../support/load.ts";
import { startAnswering } from "../support/upstream.ts";
import { retrying, serviceAt } from "./retry-support.ts";
import { forward } from "./support.ts";

test("a pause before a retry is never shorter than the least", async () => {
  await using sad = startAnswering(() => "HTTP/1.1 503 Sad\r\nContent-Length: 3\r\n\r\nsad");
  using setup = await serviceAt([sad.url], {}, 0);
  const outcome = forward(setup.service, { policy: retrying({ backoffMs: 100, leastPauseMs: 100 }) });
  for (let i = 0; i < 2; i++) {
    await eventually(() => setup.pauses.length > i, "a pause");
    setup.pauses[i]?.end();
  }
  expect((await outcome).outcome).toBe("sad");
  expect(setup.pauses.map(({ ms }) => ms)).toEqual([100, 100]);
});
