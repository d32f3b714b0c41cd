import type { SuccessRateOptions } from "./options.ts";

/** What an endpoint did since the last look. */
export interface Tally {
  readonly successes: number;
  readonly total: number;
}

/**
 * Those that succeed far less often than the others: by more than `deviations` standard deviations below the mean.
 * Nobody, when too few had requests enough to be compared.
 */
export function stragglers<Item extends Tally>(tallies: readonly Item[], options: SuccessRateOptions): readonly Item[] {
  const { minEndpoints, minRequests, deviations } = options;
  const judged = tallies.filter(({ total }) => total >= minRequests);
  if (judged.length < minEndpoints) return [];
  const mean = meanOf(judged.map(rateOf));
  const variance = meanOf(judged.map((each) => (rateOf(each) - mean) ** 2));
  const least = mean - deviations * Math.sqrt(variance);
  return judged.filter((each) => rateOf(each) < least);
}

function rateOf({ successes, total }: Tally): number {
  return successes / total;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
