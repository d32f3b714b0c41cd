import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "./install.ts";
import { closingLine, countTests } from "./junit.ts";
import { installPrerequisites } from "./prerequisites.ts";
import { requireBun } from "./require-bun.ts";
import { fail, packageProgram, runStep } from "./step.ts";

/** A run that hangs is ended; the suite itself is kept under five minutes on two cores. */
const TESTS_TIMEOUT_MS = 540_000;

/** Many tests wait for another process's clock: two files at once take half the time. */
const FLAGS = ["--parallel=2", "--timeout=30000"];

const CHECKS = [
  { name: "types", command: [packageProgram("tsc"), "-p", "."] },
  { name: "lint", command: [packageProgram("biome"), "check", "--error-on-warnings"] },
] as const;

/** Names of the checks that failed. */
async function runChecks(): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, command } of CHECKS) {
    if ((await runStep(command)) === 0) console.log(`${name}: ok`);
    else failed.push(name);
  }
  return failed;
}

/** Runs bun test and prints the closing line; true when at least one test ran and none failed. */
async function runTests(args: readonly string[]): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "torii-tests-"));
  try {
    const report = join(folder, "junit.xml");
    const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
    const command = [process.execPath, "test", ...FLAGS, ...reporter, ...args];
    const status = await runStep(command, { timeoutMs: TESTS_TIMEOUT_MS });
    const file = Bun.file(report);
    const counts = (await file.exists()) ? countTests(await file.text()) : null;
    if (counts === null) console.error("torii: the test run broke off before its report");
    const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
    // An error between tests fails the run and is in no report: the line must never say "0 failed" then.
    console.log(closingLine({ passed, failed: status === 0 ? failed : Math.max(failed, 1), skipped }));
    return status === 0 && counts !== null && counts.failed === 0 && counts.passed > 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With paths or flags only those tests run; without, the checks run first and everything is tested. */
async function main(args: readonly string[]): Promise<void> {
  requireBun();
  await installPackages();
  await installPrerequisites();
  const failed = args.length === 0 ? await runChecks() : [];
  const isGreen = await runTests(args);
  if (failed.length > 0) fail(`these checks failed, see above: ${failed.join(", ")}`);
  if (!isGreen) process.exit(1);
}

if (import.meta.main) await main(process.argv.slice(2));
