import type { DnsAnswer, DnsFailure } from "./dns-source.ts";

/** How often in a row DNS must say that there is nothing before what was there is given up. */
const NONE_BELIEVED_AFTER = 3;

/** What is held to be true, after answers good and bad. */
export interface Belief<T> {
  readonly records: readonly T[];
  /** Why the last answer did not count, or counted as nothing; null after a good one. */
  readonly failure: DnsFailure | null;
  /** DNS said so often that there is nothing that it is believed. */
  readonly isNothing: boolean;
  /** DNS said last that there is nothing, and is not believed yet. */
  readonly isDoubted: boolean;
  take(answer: DnsAnswer<T>): void;
}

/** Nothing is known yet. A failure leaves what is known, and does not break the row of answers that say "nothing". */
export function createBelief<T>(): Belief<T> {
  let records: readonly T[] = [];
  let failure: DnsFailure | null = null;
  let nones = 0;

  function none(): void {
    failure = "not_found";
    nones++;
    if (nones >= NONE_BELIEVED_AFTER) records = [];
  }

  return {
    get records() {
      return records;
    },
    get failure() {
      return failure;
    },
    get isNothing() {
      return nones >= NONE_BELIEVED_AFTER;
    },
    get isDoubted() {
      return nones > 0 && nones < NONE_BELIEVED_AFTER;
    },
    take: (answer) => {
      if (answer.state === "none") return none();
      if (answer.state === "failed") {
        failure = answer.reason;
        return;
      }
      ({ records } = answer);
      failure = null;
      nones = 0;
    },
  };
}
