/** Work on items, so many at once; an item that is added again while it is worked on comes once more after that. */
export interface WorkQueue<Item> {
  add(item: Item): void;
  /** An item that still waits does so no more. */
  drop(item: Item): void;
  /** Begins nothing more. */
  stop(): void;
}

/**
 * Makes an empty queue. `work` must not reject; it says for how many milliseconds the item is not worked on again, and
 * others have their turn.
 */
export function createQueue<Item>(limit: number, work: (item: Item) => Promise<number>): WorkQueue<Item> {
  const waiting = new Set<Item>();
  const busy = new Set<Item>();
  const resting = new Set<Item>();
  let isStopped = false;

  async function begin(item: Item): Promise<void> {
    busy.add(item);
    const restMs = await work(item);
    busy.delete(item);
    if (restMs >= 1) rest(item, restMs);
    pump();
  }

  function rest(item: Item, ms: number): void {
    resting.add(item);
    const wake = (): void => {
      resting.delete(item);
      pump();
    };
    setTimeout(wake, ms).unref();
  }

  function pump(): void {
    for (const item of waiting) {
      if (busy.size >= limit || isStopped) return;
      if (!busy.has(item) && !resting.has(item) && waiting.delete(item)) void begin(item);
    }
  }

  return {
    add: (item) => {
      waiting.add(item);
      pump();
    },
    drop: (item) => void waiting.delete(item),
    stop: () => {
      isStopped = true;
    },
  };
}
