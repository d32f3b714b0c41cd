import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";

/**
 * What became of each request, in a file that outlives the process, killed or not: three numbers of 8 bytes each. When
 * it came, in milliseconds of the machine's monotonic clock; the number of its key, from 1 on; when it was admitted, -1
 * where it was refused, 0 while nothing is known.
 */
const FIELDS = 3;

export interface Recorder {
  /** The number of the record of a request that came then. Throws when the file is full. */
  came(key: number, atMs: number): number;
  admitted(record: number, atMs: number): void;
  refused(record: number): void;
}

/** Makes an empty file for so many records. */
export function makeRecordFile(path: string, records: number): void {
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, Math.max(1, records) * FIELDS * 8);
  } finally {
    closeSync(file);
  }
}

/** Writes into such a file through shared memory. */
export function createRecorder(path: string): Recorder {
  const bytes = Bun.mmap(path, { shared: true });
  const values = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  let next = 0;
  return {
    came: (key, atMs) => {
      const record = next++;
      if ((record + 1) * FIELDS > values.length) throw new Error("more requests than there are records");
      values[record * FIELDS] = atMs;
      values[record * FIELDS + 1] = key + 1;
      return record;
    },
    admitted: (record, atMs) => {
      values[record * FIELDS + 2] = atMs;
    },
    refused: (record) => {
      values[record * FIELDS + 2] = -1;
    },
  };
}

/** One key's requests of all processes, in the order of time. */
export interface KeyRecord {
  readonly cameAt: Float64Array;
  readonly admittedAt: Float64Array;
}

/** Reads the files of all processes, by key. */
export function readRecords(paths: readonly string[]): ReadonlyMap<number, KeyRecord> {
  const keys = new Map<number, { came: number[]; admitted: number[] }>();
  for (const path of paths) {
    const bytes = readFileSync(path);
    const values = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    for (let at = 0; at < values.length && values[at] !== 0; at += FIELDS) {
      const [cameAt = 0, key = 0, admittedAt = 0] = values.subarray(at, at + FIELDS);
      const record = keys.get(key) ?? { came: [], admitted: [] };
      keys.set(key, record);
      record.came.push(cameAt);
      if (admittedAt > 0) record.admitted.push(admittedAt);
    }
  }
  const sorted = (times: readonly number[]) => Float64Array.from(times).sort();
  return new Map(
    [...keys].map(([key, { came, admitted }]) => [key, { cameAt: sorted(came), admittedAt: sorted(admitted) }]),
  );
}
