const PERIOD_BYTES = 65_521;
const LONGEST_BYTES = 8 * 1024 * 1024;

function made(): Buffer {
  const bytes = Buffer.alloc(LONGEST_BYTES);
  // A prime period, so that a piece that is missing, twice or elsewhere shows.
  for (let at = 0; at < PERIOD_BYTES; at++) bytes[at] = (at * 31 + (at >> 8) * 17) & 255;
  for (let at = PERIOD_BYTES; at < LONGEST_BYTES; at += PERIOD_BYTES) bytes.copy(bytes, at, 0, PERIOD_BYTES);
  return bytes;
}

const PATTERN = made();

/** The body that everybody sends and checks, this long; at most 8 MiB. A view: not to be changed. */
export function pattern(length: number): Buffer {
  return PATTERN.subarray(0, length);
}

/** Follows a body piece by piece. */
export interface PatternCheck {
  /** Throws when this is not what comes next. */
  add(piece: Uint8Array): void;
  readonly length: number;
}

/** Expects the pattern from its begin. */
export function checkPattern(): PatternCheck {
  let length = 0;
  return {
    add(piece) {
      if (!PATTERN.subarray(length, length + piece.length).equals(piece))
        throw new Error(`the body is wrong within the ${piece.length} bytes behind ${length}`);
      length += piece.length;
    },
    get length() {
      return length;
    },
  };
}

/** Throws unless the body is the pattern, of this length. */
export function expectPattern(body: Uint8Array, length: number): void {
  const check = checkPattern();
  check.add(body);
  if (check.length !== length) throw new Error(`the body has ${check.length} bytes instead of ${length}`);
}
