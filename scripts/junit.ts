/** How many tests a run counted. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Reads the totals of a JUnit report; null when there are none, as after a run that broke off. */
export function countTests(report: string): TestCounts | null {
  const head = /<testsuites\b[^>]*>/.exec(report)?.[0];
  if (head === undefined) return null;
  const number = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped };
}

/** The closing line of a test run: `12 passed, 0 failed`. */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}
