/** Keys and indexes from the top of a document down to a value. */
export type Path = readonly PropertyKey[];

const PLAIN_KEY = /^[A-Za-z0-9_-]+$/;

function step(key: PropertyKey, index: number): string {
  if (typeof key === "number") return `[${key}]`;
  const name = String(key);
  if (!PLAIN_KEY.test(name)) return `[${JSON.stringify(name)}]`;
  return index === 0 ? name : `.${name}`;
}

/** The path as it is shown to people: `routes[0].headers.x-beta`, `services["a b"]`; empty for the top. */
export function fieldOf(path: Path): string {
  return path.map(step).join("");
}

/** A text that is equal for equal paths and only for them. */
export function pathKey(path: Path): string {
  return JSON.stringify(path.map((key) => (typeof key === "number" ? key : String(key))));
}
