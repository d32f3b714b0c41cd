import type { SubsetSelector } from "./options.ts";
import type { Selection } from "./selection.ts";
import type { Subset } from "./subset.ts";

/** Gives each subset as often as it is asked for, and keeps it until its last use is given up. */
export interface Subsets<Way> {
  /** Every call needs one `close` of what it gives; a second one is no fault. */
  open(selector: SubsetSelector): Way & { close(): void };
}

interface Use<Way> {
  readonly subset: Subset;
  readonly way: Way;
  count: number;
}

/** `wayOf` makes what leads to a subset, once for all its uses at a time. */
export function createSubsets<Way extends object>(
  selection: Pick<Selection, "open" | "drop">,
  wayOf: (subset: Subset) => Way,
): Subsets<Way> {
  const uses = new Map<string, Use<Way>>();
  const made = (selector: SubsetSelector): Use<Way> => {
    const subset = selection.open(selector);
    return { subset, way: wayOf(subset), count: 0 };
  };
  const release = (key: string, use: Use<Way>) => {
    if (--use.count > 0) return;
    uses.delete(key);
    selection.drop(use.subset);
  };
  return {
    open(selector) {
      // Tags in another order are the same subset.
      const key = JSON.stringify([selector.version, [...new Set(selector.tags)].sort()]);
      const use = uses.get(key) ?? made(selector);
      uses.set(key, use);
      use.count++;
      let isOpen = true;
      return {
        ...use.way,
        close() {
          if (isOpen) release(key, use);
          isOpen = false;
        },
      };
    },
  };
}
