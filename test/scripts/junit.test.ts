import { describe, expect, test } from "bun:test";
import { closingLine, countTests } from "../../scripts/junit.ts";

const report = (totals: string): string =>
  `<?xml version="1.0"?>\n<testsuites name="bun test" ${totals}>\n</testsuites>`;

describe("the closing line of a test run", () => {
  test("counts what passed, failed and was left out", () => {
    expect(countTests(report('tests="12" assertions="90" failures="2" skipped="1" time="0.5"'))).toEqual({
      passed: 9,
      failed: 2,
      skipped: 1,
    });
  });

  test("has nothing to say without a report", () => {
    expect(countTests("")).toBeNull();
  });

  test("names skipped tests only when there are some", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
    expect(closingLine({ passed: 3, failed: 1, skipped: 2 })).toBe("3 passed, 1 failed, 2 skipped");
  });

  test("agrees with a real run of this runner", async () => {
    const folder = `${process.env["TMPDIR"] ?? "/tmp"}/torii-junit-${process.pid}`;
    const sample = 'import { test, expect } from "bun:test"; test("a", () => {}); test("b", () => expect(1).toBe(2));';
    await Bun.write(`${folder}/sample.test.ts`, sample);
    const command = [process.execPath, "test", "--reporter=junit", "--reporter-outfile=junit.xml"];
    const { exitCode } = Bun.spawnSync(command, { cwd: folder });
    const counts = countTests(await Bun.file(`${folder}/junit.xml`).text());
    await Bun.$`rm -r ${folder}`.quiet();
    expect(exitCode).toBe(1);
    expect(counts).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });
});
