import type { Balancer, Candidate } from "./balancer.ts";

/** Choices of the balancer that are looked at. */
const PICKS = 3;

export interface AnotherDeps<Item extends Candidate> {
  readonly balancer: Pick<Balancer<Item>, "pick">;
  /** Those that may be chosen now. */
  readonly endpoints: () => readonly Item[];
  readonly random: () => number;
}

/**
 * Chooses an endpoint that was not tried yet: by the balancer, or any where that insists, as an endpoint that fails at
 * once has the least to do. Where all were tried it is the balancer's choice; null when there is none.
 */
export function createAnother<Item extends Candidate>({ balancer, endpoints, random }: AnotherDeps<Item>) {
  return (tried: readonly Item[]): Item | null => {
    const isNew = ({ pool }: Item) => !tried.some((endpoint) => endpoint.pool === pool);
    let picked: Item | null = null;
    for (let i = 0; i < PICKS; i++) {
      picked = balancer.pick();
      if (picked === null || isNew(picked)) return picked;
    }
    const others = endpoints().filter((endpoint) => endpoint.weight > 0 && isNew(endpoint));
    return others[Math.floor(random() * others.length)] ?? picked;
  };
}
