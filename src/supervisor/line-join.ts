const NEWLINE = 10;
/** Nobody writes longer lines; what is longer is cut, so that it cannot fill the memory. */
const LONGEST_BYTES = 1024 * 1024;

/** Bytes of one writer, passed on in whole lines. */
export interface LineJoin {
  add(bytes: Uint8Array): void;
  /** The writer is gone; true when it left a line unfinished, which is dropped. */
  end(): boolean;
}

/** Calls `write` with one or more whole lines; the bytes are only valid during the call. */
export function createLineJoin(write: (lines: Uint8Array) => void): LineJoin {
  let rest: Buffer[] = [];
  let restBytes = 0;

  function keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    rest.push(Buffer.from(bytes));
    restBytes += bytes.length;
    if (restBytes > LONGEST_BYTES) flush(new Uint8Array([NEWLINE]));
  }

  function flush(bytes: Uint8Array): void {
    write(rest.length === 0 ? bytes : Buffer.concat([...rest, bytes]));
    rest = [];
    restBytes = 0;
  }

  return {
    add(bytes) {
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) flush(bytes.subarray(0, end));
      keep(bytes.subarray(end));
    },
    end() {
      const isTorn = restBytes > 0;
      rest = [];
      restBytes = 0;
      return isTorn;
    },
  };
}
