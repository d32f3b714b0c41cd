import { familyHead, labelPairs, sampleLine } from "./exposition.ts";
import { methodIndex, methodLabel } from "./method.ts";
import { createSeriesIndex } from "./series.ts";

// OpenTelemetry's buckets for HTTP durations, in seconds.
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
// A row holds one cell for each bound, one for what is slower, and the sum: 128 bytes, two cache lines.
const OVER = BOUNDS.length;
const SUM = BOUNDS.length + 1;
const STRIDE = BOUNDS.length + 2;
const STATUS_BITS = 10;
const METHOD_BITS = 4;
// What is left of a key without its slot: the same method and status of slot 0, which is `other`.
const BELOW_SLOT = (1 << (STATUS_BITS + METHOD_BITS)) - 1;
// A row becomes about 2 KB of text: this many take well under a millisecond, then requests have their turn.
const ROWS_PER_TURN = 100;

/** Where the durations of one route, or of one service, are counted. */
export interface Slot {
  /**
   * Counts one request. Status 0 stands for none, as when a client left before there was one; seconds below 0
   * count as 0. Costs some nanoseconds and allocates only for the first request of its method and status.
   */
  observe(method: string, status: number, seconds: number): void;
}

export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Labels beside method and status; a slot gives a value for each. */
  readonly labels: readonly string[];
  /** Slots over this number share one whose labels are `other`. */
  readonly maxSlots: number;
  /** Once there are this many series, new ones are counted under `other`, which keeps its methods and statuses. */
  readonly maxSeries: number;
}

export interface Histogram {
  /** The slot of these label values: the same for the same values, for ever. */
  slot(...values: readonly string[]): Slot;
  /** The family as text. Gives way to other work between pieces, so that a scrape delays no request for long. */
  render(): Promise<string>;
}

function bucketOf(seconds: number): number {
  for (let i = 0; i < OVER; i++) if (!(seconds > (BOUNDS[i] ?? 0))) return i;
  return OVER;
}

function keyOf(slot: number, method: number, status: number): number {
  const code = status >= 100 && status <= 999 ? status : 0;
  return (((slot << METHOD_BITS) | method) << STATUS_BITS) | code;
}

function rowPairs(key: number, slotPairs: readonly string[]): string {
  const status = key & ((1 << STATUS_BITS) - 1);
  const method = (key >> STATUS_BITS) & ((1 << METHOD_BITS) - 1);
  const own = labelPairs(
    ["http_request_method", "http_response_status_code"],
    [methodLabel(method), status === 0 ? "" : String(status)],
  );
  return `${own},${slotPairs[key >> (STATUS_BITS + METHOD_BITS)] ?? ""}`;
}

function rowText(name: string, pairs: string, cells: Float64Array): string {
  let text = "";
  let count = 0;
  for (let i = 0; i <= OVER; i++) {
    count += cells[i] ?? 0;
    text += `${name}_bucket{${pairs},le="${BOUNDS[i] ?? "+Inf"}"} ${count}\n`;
  }
  return text + sampleLine(`${name}_sum`, pairs, cells[SUM] ?? 0) + sampleLine(`${name}_count`, pairs, count);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A histogram of HTTP durations by method, status and a slot's labels, in typed arrays. */
export function createHistogram(options: HistogramOptions): Histogram {
  const index = createSeriesIndex();
  const slots = new Map<string, Slot>();
  const slotPairs: string[] = [];
  let cells = new Float64Array(STRIDE * 64);

  function rowOf(key: number): number {
    if (index.size < options.maxSeries || index.has(key)) return index.rowOf(key);
    return index.rowOf(key & BELOW_SLOT);
  }

  function record(row: number, seconds: number): void {
    const start = row * STRIDE;
    if (start >= cells.length) {
      const old = cells;
      cells = new Float64Array(old.length * 2);
      cells.set(old);
    }
    const bucket = start + bucketOf(seconds);
    cells[bucket] = (cells[bucket] ?? 0) + 1;
    // A clock that stepped back, or no number at all, must not spoil the sum for ever.
    if (seconds > 0) cells[start + SUM] = (cells[start + SUM] ?? 0) + seconds;
  }

  function makeSlot(values: readonly string[]): Slot {
    const id = slotPairs.push(labelPairs(options.labels, values)) - 1;
    // Most requests of a route are of one method and one status: the same row as the last time.
    let lastKey = -1;
    let lastRow = 0;
    return {
      observe: (method, status, seconds) => {
        const key = keyOf(id, methodIndex(method), status);
        if (key !== lastKey) {
          lastRow = rowOf(key);
          lastKey = key;
        }
        record(lastRow, seconds);
      },
    };
  }

  const otherValues = options.labels.map(() => "other");
  const other = makeSlot(otherValues);
  // A route may be called `other` too: it must not show as a second series of equal labels.
  slots.set(JSON.stringify(otherValues), other);

  function slot(...values: readonly string[]): Slot {
    const name = JSON.stringify(values);
    const known = slots.get(name);
    if (known !== undefined) return known;
    if (slots.size > options.maxSlots) return other;
    const made = makeSlot(values);
    slots.set(name, made);
    return made;
  }

  async function render(): Promise<string> {
    const pieces = [familyHead(options.name, options.help, "histogram")];
    for (let row = 0; row < index.size; row++) {
      if (row > 0 && row % ROWS_PER_TURN === 0) await nextTurn();
      const start = row * STRIDE;
      const pairs = rowPairs(index.keyAt(row), slotPairs);
      pieces.push(rowText(options.name, pairs, cells.subarray(start, start + STRIDE)));
    }
    return pieces.join("");
  }

  return { slot, render };
}
