/** Work on items, so many at once; an item that is added again while it is worked on comes once more after that. */
export interface WorkQueue<Item> {
  add(item: Item): void;
  /** An item that still waits does so no more. */
  drop(item: Item): void;
  /** Begins nothing more. */
  stop(): void;
}

/** Makes an empty queue. `work` must not reject. */
export function createQueue<Item>(limit: number, work: (item: Item) => Promise<void>): WorkQueue<Item> {
  const waiting = new Set<Item>();
  const busy = new Set<Item>();
  let isStopped = false;

  async function begin(item: Item): Promise<void> {
    busy.add(item);
    await work(item);
    busy.delete(item);
    pump();
  }

  function pump(): void {
    for (const item of waiting) {
      if (busy.size >= limit || isStopped) return;
      if (!busy.has(item) && waiting.delete(item)) void begin(item);
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
