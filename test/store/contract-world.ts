import type { Store } from "../../src/store/store.ts";

/** A store under test. */
export interface StoreWorld extends AsyncDisposable {
  readonly store: Store;
  /** Another that shares its state, as a second gateway's; the same one where state is not shared. */
  readonly other: Store;
  /** Lets the store's clock move on by so many milliseconds. */
  pass(ms: number): Promise<void>;
}

/** Runs a test in a world of its own. */
export type Within = (run: (world: StoreWorld) => Promise<void>) => Promise<void>;
