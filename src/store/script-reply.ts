import type { ScriptReply } from "./store.ts";

/** A value of unknown origin as a script's reply. Throws a TypeError for what no script may answer. */
export function scriptReply(value: unknown): ScriptReply {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (Array.isArray(value)) return value.map(scriptReply);
  throw new TypeError("a script answers whole numbers, texts, null and lists of them");
}
