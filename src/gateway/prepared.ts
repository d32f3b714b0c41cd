/** Something of a new configuration that is open already, beside what is in force. Exactly one of the two is called. */
export interface Prepared {
  /** Puts it in the old one's place. Must not throw. */
  commit(): void;
  /** Takes it back; what is in force stays. */
  abort(): void;
}

/** For a part that a new configuration leaves as it is. */
export const UNCHANGED: Prepared = { commit() {}, abort() {} };

/** Prepares all parts or none: when one of them throws, those before it are taken back, and it is thrown again. */
export function prepareAll(steps: readonly (() => Prepared)[]): Prepared {
  const done: Prepared[] = [];
  try {
    for (const step of steps) done.push(step());
  } catch (error) {
    for (const prepared of done) prepared.abort();
    throw error;
  }
  return {
    commit() {
      for (const prepared of done) prepared.commit();
    },
    abort() {
      for (const prepared of done) prepared.abort();
    },
  };
}
