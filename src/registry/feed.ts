/** A value that changes, and those who follow it. */
export interface Feed<T> {
  readonly value: T;
  set(value: T): void;
  /**
   * The value that stands, at once, and each later one. A follower that is slow gets the latest only.
   * Ends when the signal aborts, without an error.
   */
  follow(signal: AbortSignal): AsyncIterable<T>;
}

/** Makes a feed; it holds nothing that must be closed. */
export function createFeed<T>(first: T): Feed<T> {
  let value = first;
  let version = 0;
  const wakers = new Set<() => void>();

  function changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        wakers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      wakers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  async function* follow(signal: AbortSignal): AsyncGenerator<T> {
    let seen = -1;
    while (!signal.aborted) {
      if (seen === version) {
        // Nothing is awaited between this comparison and the waker's entry: no change can fall in between.
        await changed(signal);
        continue;
      }
      seen = version;
      yield value;
    }
  }

  return {
    get value() {
      return value;
    },
    set: (next) => {
      value = next;
      version++;
      for (const wake of [...wakers]) wake();
    },
    follow,
  };
}
