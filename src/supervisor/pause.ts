/** A wait that can be cut short. */
export interface Pause {
  /** Resolves after so many milliseconds, or at the next `end`. */
  wait(ms: number): Promise<void>;
  end(): void;
}

/** Nobody waits yet. */
export function createPause(): Pause {
  let end = (): void => {};
  return {
    async wait(ms) {
      const over = Promise.withResolvers<void>();
      end = over.resolve;
      const timer = setTimeout(over.resolve, ms);
      await over.promise;
      clearTimeout(timer);
    },
    end: () => end(),
  };
}
