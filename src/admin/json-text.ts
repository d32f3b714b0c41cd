/** After so many items others get a turn: a gateway that serves must not stand still for a list. */
const TURN_ITEMS = 50;

async function listText(items: readonly unknown[]): Promise<string> {
  const pieces: string[] = [];
  for (const [at, item] of items.entries()) {
    if (at > 0 && at % TURN_ITEMS === 0) await turn();
    pieces.push(JSON.stringify(item));
  }
  return `[${pieces.join(",")}]`;
}

/** Lets others do their work first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Plain data as JSON; the lists at its top are written a piece at a time. */
export async function jsonText(value: Readonly<Record<string, unknown>>): Promise<string> {
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    const text = Array.isArray(member) ? await listText(member) : JSON.stringify(member);
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(",")}}\n`;
}
