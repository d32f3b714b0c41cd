import pino, { type Logger } from "pino";

/**
 * The application's log on standard error: JSON lines, with levels as words. On a terminal, where people read, each
 * entry is one plain line instead. Written at once, so that nothing is lost when the process ends.
 */
export function createLog(isTerminal: boolean): Logger {
  const options = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (!isTerminal) return pino(options, pino.destination({ fd: 2, sync: true }));
  return pino(options, { write: (line) => void process.stderr.write(`${plainLine(line)}\n`) });
}

const SHOWN_APART = new Set(["level", "time", "msg", "file", "line", "column", "field", "message"]);

/** One JSON entry as a line for people; a fault of a configuration as `file:line:column field: message`. */
function plainLine(json: string): string {
  const entry: unknown = JSON.parse(json);
  if (typeof entry !== "object" || entry === null) return json.trimEnd();
  const facts = new Map<string, unknown>(Object.entries(entry));
  const text = (name: string) => String(facts.get(name) ?? "");
  const rest = [...facts].filter(([name]) => !SHOWN_APART.has(name)).map(([name, value]) => `${name}=${shown(value)}`);
  const head = `${text("time").slice(11, 19)} ${text("level").padEnd(5)} ${text("msg")}`;
  return [head, faultText(facts), ...rest].filter((part) => part !== "").join("  ");
}

function faultText(facts: ReadonlyMap<string, unknown>): string {
  if (!facts.has("file") || !facts.has("message")) return "";
  const line = facts.get("line");
  const place = typeof line === "number" ? `:${line}:${String(facts.get("column") ?? 1)}` : "";
  const field = String(facts.get("field") ?? "");
  return `${String(facts.get("file"))}${place}${field === "" ? "" : ` ${field}`}: ${String(facts.get("message"))}`;
}

function shown(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  // An error's message says more on one line than its stack.
  return "message" in value ? String(value.message) : JSON.stringify(value);
}
