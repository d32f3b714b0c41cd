const FIRST_HALF_BYTES = 64 * 1024;

/** Lines as UTF-8, in two halves: one gathers while the other is written. */
export interface LineBuffer {
  /** Takes a line; false, and nothing is kept, when there is no room for it. */
  add(line: string): boolean;
  /** The same for lines that are bytes already. */
  addBytes(lines: Uint8Array): boolean;
  /** What has gathered, in memory that stays as it is until the next `take`. Empty when nothing has. */
  take(): Buffer;
  /** Bytes that have gathered since the last `take`. */
  readonly gatheredBytes: number;
}

interface Half {
  bytes: Buffer;
  length: number;
}

/** Makes room for more at the end, within the bound; false when there is none. */
function reserve(half: Half, bytes: number, maxBytes: number): boolean {
  const needed = half.length + bytes;
  if (needed <= half.bytes.length) return true;
  if (needed > maxBytes) return false;
  const grown = Buffer.allocUnsafe(Math.min(Math.max(half.bytes.length * 2, needed), maxBytes));
  half.bytes.copy(grown, 0, 0, half.length);
  half.bytes = grown;
  return true;
}

/** A buffer whose halves together never hold more than `maxBytes`. It begins small and grows on demand. */
export function createLineBuffer(maxBytes: number): LineBuffer {
  const maxHalfBytes = Math.floor(maxBytes / 2);
  const make = (): Half => ({ bytes: Buffer.allocUnsafe(Math.min(FIRST_HALF_BYTES, maxHalfBytes)), length: 0 });
  let gathering = make();
  let taken = make();
  return {
    add: (line) => {
      // UTF-8 takes at most three bytes for a UTF-16 unit; counting exactly would read the line twice.
      if (!reserve(gathering, line.length * 3, maxHalfBytes)) return false;
      gathering.length += gathering.bytes.write(line, gathering.length, "utf8");
      return true;
    },
    addBytes: (lines) => {
      if (!reserve(gathering, lines.length, maxHalfBytes)) return false;
      gathering.bytes.set(lines, gathering.length);
      gathering.length += lines.length;
      return true;
    },
    take: () => {
      const full = gathering;
      gathering = taken;
      gathering.length = 0;
      taken = full;
      return full.bytes.subarray(0, full.length);
    },
    get gatheredBytes() {
      return gathering.length;
    },
  };
}
