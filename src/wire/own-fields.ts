import { isFieldValue } from "./header-list.ts";

/** Response fields that are the listener's own: they stand in every response, and no upstream's of the same name does. */
export class OwnFields {
  /** As they are written, in order. */
  readonly pairs: readonly (readonly [name: string, value: string])[];
  /** Their lines in HTTP/1.1, each with its line end. */
  readonly text: string;
  readonly #merged = new Map<ReadonlySet<string>, ReadonlySet<string>>();

  /** Throws a TypeError for a value that cannot stand in a field. */
  constructor(pairs: OwnFields["pairs"]) {
    for (const [name, value] of pairs) if (!isFieldValue(value)) throw new TypeError(`invalid value of header ${name}`);
    this.pairs = pairs;
    this.text = pairs.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  /** Names that are not taken over from an upstream, in lower case: those of `dropped` and one's own. Made once a set. */
  without(dropped: ReadonlySet<string>): ReadonlySet<string> {
    const known = this.#merged.get(dropped);
    if (known !== undefined) return known;
    const merged = new Set([...dropped, ...this.pairs.map(([name]) => name.toLowerCase())]);
    this.#merged.set(dropped, merged);
    return merged;
  }
}
