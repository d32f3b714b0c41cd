function nextRow(previous: readonly number[], a: string, b: string): number[] {
  const row = [(previous[0] ?? 0) + 1];
  for (let j = 1; j <= b.length; j++) {
    const swap = (previous[j - 1] ?? 0) + (a === b[j - 1] ? 0 : 1);
    row.push(Math.min(swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
  }
  return row;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const char of a) row = nextRow(row, char, b);
  return row[b.length] ?? 0;
}

/** The known name that a mistyped one most likely meant; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  const lower = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const between = distance(lower, candidate.toLowerCase());
    if (between >= bestDistance) continue;
    best = candidate;
    bestDistance = between;
  }
  return best;
}

/** `did you mean "x"?`, or the known names, or nothing when there are none. Begins with `; ` when not empty. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `; did you mean "${near}"?`;
  if (known.length === 0) return "";
  const shown = known.slice(0, 16).join(", ");
  return `; known here: ${shown}${known.length > 16 ? ", …" : ""}`;
}
