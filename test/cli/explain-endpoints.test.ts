import { expect, test } from "bun:test";
import { endpointsOf, originOf } from "../../src/cli/explain-endpoints.ts";
import { load } from "../config/folder.ts";

test("says of each service that is not written down where its endpoints come from", async () => {
  const { config } = await load({
    "torii.yaml": "redis: redis://127.0.0.1:6379\n",
    "routes/a.yaml": `services:
  named: { dns: { srv: _http._tcp.catalog.internal } }
  stored: {}
  own: { discover: memory }
`,
  });
  const names = ["named", "stored", "own"];
  expect(names.map((name) => endpointsOf(name, config))).toEqual([null, null, null]);
  expect(names.map((name) => originOf(name, config))).toEqual([
    "endpoints are what DNS says of _http._tcp.catalog.internal; a running gateway knows them",
    "endpoints register themselves in Redis (discover: redis); a running gateway knows them",
    "endpoints register themselves (discover: memory); a running gateway knows them",
  ]);
});
