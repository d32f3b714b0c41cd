/** Work that follows one another. */
export type Turns = <Value>(work: () => Promise<Value>) => Promise<Value>;

/** Begins each piece of work when the one before it has ended, however it ended. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
