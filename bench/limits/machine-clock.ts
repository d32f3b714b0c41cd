import { dlopen, FFIType, ptr } from "bun:ffi";

const CLOCK_MONOTONIC = 1;

/** What to add to `performance.now()` for milliseconds of the machine's monotonic clock, which all processes share. */
export function machineClockOffsetMs(): number {
  const library = dlopen("libc.so.6", {
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  });
  const time = new BigInt64Array(2);
  const read = (): number => {
    library.symbols.clock_gettime(CLOCK_MONOTONIC, ptr(time));
    return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
  };
  read();
  // The tightest of some readings: the process may be interrupted in between.
  let best = { spanMs: Number.POSITIVE_INFINITY, offsetMs: 0 };
  for (let i = 0; i < 20; i++) {
    const beforeMs = performance.now();
    const machineMs = read();
    const spanMs = performance.now() - beforeMs;
    if (spanMs < best.spanMs) best = { spanMs, offsetMs: machineMs - beforeMs - spanMs / 2 };
  }
  library.close();
  return best.offsetMs;
}
