/** Chooses among weighted backends, anew for each request. */
export interface Split {
  /** The index of a backend, or null when no backend has a weight. */
  pick(): number | null;
}

export interface Weighted {
  /** Share of requests, relative to the others'; 0 takes none. */
  readonly weight: number;
}

function boundsOf(backends: readonly Weighted[]): readonly number[] {
  let sum = 0;
  return backends.map(({ weight }) => {
    sum += weight;
    return sum;
  });
}

/**
 * A split by weight. `random` gives a number in [0, 1); it is not asked when there is nothing to choose.
 * Weights must be finite and not negative.
 */
export function createSplit(backends: readonly Weighted[], random: () => number): Split {
  const live = backends.flatMap((backend, index) => (backend.weight > 0 ? [{ index, weight: backend.weight }] : []));
  const last = live.at(-1)?.index ?? null;
  if (live.length < 2) return { pick: () => last };
  const bounds = boundsOf(live);
  const total = bounds.at(-1) ?? 0;
  return {
    pick() {
      const point = random() * total;
      for (let i = 0; i < live.length; i++) if (point < (bounds[i] ?? 0)) return live[i]?.index ?? null;
      return last;
    },
  };
}
