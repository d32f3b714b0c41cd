import type { HeaderList } from "./header-list.ts";

/** White space at the ends belongs to no value (Fetch, "normalize"). */
function normalized(given: string): string {
  const value = String(given);
  const hasSpace = value.charCodeAt(0) <= 0x20 || value.charCodeAt(value.length - 1) <= 0x20;
  return hasSpace ? value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "") : value;
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

/**
 * Fetch `Headers` over a `HeaderList`: reads and writes go to the list, so nothing is copied and fields that
 * nobody touches keep their order, case and duplicates. Iteration is the Fetch standard's: lower-case names,
 * sorted, values of one name joined by `, `, every `set-cookie` apart (and last, as in Bun). Invalid names or values throw a TypeError.
 */
export class LightHeaders {
  // `instanceof Headers` must hold; every method that native code could ask for stands on this class.
  static {
    Object.setPrototypeOf(LightHeaders.prototype, Headers.prototype);
  }

  readonly #list: HeaderList;

  constructor(list: HeaderList) {
    this.#list = list;
  }

  get(name: string): string | null {
    return this.#list.get(name);
  }

  getAll(name: string): string[] {
    return this.#list.values(name);
  }

  getSetCookie(): string[] {
    return this.#list.values("set-cookie");
  }

  has(name: string): boolean {
    return this.#list.has(name);
  }

  set(name: string, value: string): void {
    this.#list.set(name, normalized(value));
  }

  append(name: string, value: string): void {
    this.#list.add(name, normalized(value));
  }

  delete(name: string): void {
    this.#list.delete(name);
  }

  get count(): number {
    return this.#entries().length;
  }

  forEach(visit: (value: string, key: string, parent: Headers) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#entries()) visit.call(thisArg, value, name, asHeaders(this));
  }

  entries(): ArrayIterator<[string, string]> {
    return this.#entries().values();
  }

  keys(): ArrayIterator<string> {
    return this.#entries()
      .map(([name]) => name)
      .values();
  }

  values(): ArrayIterator<string> {
    return this.#entries()
      .map(([, value]) => value)
      .values();
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.#entries());
  }

  [Symbol.iterator](): ArrayIterator<[string, string]> {
    return this.entries();
  }

  #entries(): [string, string][] {
    const joined = new Map<string, string>();
    const cookies: [string, string][] = [];
    this.#list.forEach((name, value) => {
      const before = joined.get(name);
      if (name === "set-cookie") cookies.push([name, value]);
      else joined.set(name, before === undefined ? value : `${before}, ${value}`);
    });
    // Bun gives cookies last.
    return [...[...joined].sort(byName), ...cookies];
  }
}

/** The same object under the standard's type. */
export function asHeaders(light: LightHeaders): Headers {
  // Proven by test/plugins/fetch-objects.test.ts: it answers every member of `Headers` and is an instance of it.
  return light as unknown as Headers;
}
