import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startEcho, type Upstream } from "../support/upstream.ts";
import { startProxy, type TestGateway } from "../support.ts";
import { chunks, codings } from "./cases/coding.ts";
import { contentLengths, fieldLines, hosts } from "./cases/fields.ts";
import { incomplete, paths, plain, requestLines, upgrades } from "./cases/plain.ts";
import type { Row } from "./cases/row.ts";
import { judge, run } from "./judge.ts";

const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  "well formed requests": plain,
  paths,
  "requests in parts": incomplete,
  upgrades,
  "request lines": requestLines,
  Host: hosts,
  "field lines": fieldLines,
  "Content-Length": contentLengths,
  "Transfer-Encoding": codings,
  chunks,
};

const AT_ONCE = 16;

let echo: Upstream;
let gateway: TestGateway;
/** Faults by row. All rows run at once, because most of their time is waiting for silence. */
const faults = new Map<Row, readonly string[]>();

async function runFrom(rows: Iterator<Row>): Promise<void> {
  for (let next = rows.next(); !next.done; next = rows.next()) {
    const row = next.value;
    faults.set(
      row,
      await run(gateway, row).then(
        (verdict) => judge(row, verdict),
        (error: unknown) => [String(error)],
      ),
    );
  }
}

beforeAll(async () => {
  echo = startEcho();
  gateway = await startProxy(echo.url, {
    route: { paths: { encodedSlash: "allow" } },
    torii: { listeners: [{ name: "http", address: "127.0.0.1", port: 0, http2: false }] },
  });
  const rows = Object.values(GROUPS).flat().values();
  await Promise.all(Array.from({ length: AT_ONCE }, () => runFrom(rows)));
}, 60_000);

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await echo.close();
});

for (const [group, rows] of Object.entries(GROUPS)) {
  describe(group, () => {
    for (const row of rows) {
      test(`${row.name} (RFC ${row.rfc})`, () => {
        expect(faults.get(row)).toEqual([]);
      });
    }
  });
}
