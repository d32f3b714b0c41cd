/** Work on items, so many at once; an item that is added again while it is worked on comes once more after that. */
export interface WorkQueue<Item> {
  add(item: Item): void;
  /** The same, in turn with the first of those that were only added. */
  hurry(item: Item): void;
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
  const urgent = new Set<Item>();
  const busy = new Set<Item>();
  const resting = new Set<Item>();
  let isStopped = false;
  /** Both have their turns: a flood of what is in a hurry must not keep the others waiting for ever. */
  let isOthersTurn = false;

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
    while (busy.size < limit && !isStopped) {
      const item = isOthersTurn ? (take(waiting) ?? take(urgent)) : (take(urgent) ?? take(waiting));
      if (item === null) return;
      isOthersTurn = !isOthersTurn;
      void begin(item);
    }
  }

  function take(items: Set<Item>): Item | null {
    for (const item of items) if (!busy.has(item) && !resting.has(item) && items.delete(item)) return item;
    return null;
  }

  return {
    add: (item) => {
      if (urgent.has(item)) return;
      waiting.add(item);
      pump();
    },
    hurry: (item) => {
      waiting.delete(item);
      urgent.add(item);
      pump();
    },
    drop: (item) => {
      waiting.delete(item);
      urgent.delete(item);
    },
    stop: () => {
      isStopped = true;
    },
  };
}
