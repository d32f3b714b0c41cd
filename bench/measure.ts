const ROUNDS = 15;
const ROUND_MS = 20;

/** What the last run returned: work whose result nobody holds could be left out by the compiler. */
export const keep: { last: unknown } = { last: null };

/** Nanoseconds that `run` takes for one input, in the least disturbed of 15 rounds of about 20 ms each. */
export function nanosPerRun<Input>(inputs: readonly Input[], run: (input: Input) => unknown): number {
  const passes = passesIn(ROUND_MS, inputs, run);
  return Math.min(...Array.from({ length: ROUNDS }, () => nanosOf(passes, inputs, run)));
}

/** How often all inputs fit into a time; warms up as well. */
function passesIn<Input>(durationMs: number, inputs: readonly Input[], run: (input: Input) => unknown): number {
  const endAt = performance.now() + durationMs;
  let passes = 0;
  while (performance.now() < endAt) {
    nanosOf(1, inputs, run);
    passes += 1;
  }
  return passes;
}

function nanosOf<Input>(passes: number, inputs: readonly Input[], run: (input: Input) => unknown): number {
  const startedAt = Bun.nanoseconds();
  for (let pass = 0; pass < passes; pass += 1) for (const input of inputs) keep.last = run(input);
  return (Bun.nanoseconds() - startedAt) / (passes * inputs.length);
}
