/** A text that moves no cursor and turns no line around, wherever it comes from: what would is shown as `\uFFFD`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "\uFFFD");
}

/** `1 route`, `2 routes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Columns padded to their widest cell, for a terminal; no trailing white space. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, at) => lines.reduce((most, row) => Math.max(most, (row[at] ?? "").length), 0));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return lines.map(line).join("\n");
}
