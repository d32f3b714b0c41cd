import { createHash } from "node:crypto";
import type { KnownSet } from "./last-good.ts";
import { endpointOf } from "./mesh-record.ts";
import type { EndpointSpec } from "./registry.ts";

/** What the first line of a copy says of the rest. */
export interface CopyHead {
  /** Epoch milliseconds. */
  readonly savedAt: number;
  readonly sha256: string;
}

const FORMAT = "torii-registry";
const VERSION = 1;

/** Why a text is not taken; said of the file that it stands in. */
export class CopyFault extends Error {
  override readonly name = "CopyFault";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** One line a service: its name, its mark, when it was read, and each endpoint as it would stand in Redis. */
function lineOf([service, { endpoints, mark }]: readonly [string, KnownSet]): string {
  return `${JSON.stringify([service, mark, endpoints.map(({ id, ...record }) => [id, record])])}\n`;
}

/** The text of a copy, in two parts: the head says when it was made, and is checked against the body. */
export function copyText(sets: ReadonlyMap<string, KnownSet>, savedAt: number): { head: CopyHead; text: string } {
  const body = [...sets]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(lineOf)
    .join("");
  const head = { savedAt, sha256: sha256(body) };
  return { head, text: `${JSON.stringify({ format: FORMAT, version: VERSION, ...head })}\n${body}` };
}

function fieldsOf(line: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return new Map(Object.entries(value));
  } catch {
    // Said below, in the same words as for JSON of another kind.
  }
  throw new CopyFault("it is no copy of a registry");
}

/** What the beginning of a copy says. Throws a CopyFault for what is none, or one of another version. */
export function copyHead(text: string): CopyHead {
  const fields = fieldsOf(text.slice(0, Math.max(0, text.indexOf("\n"))));
  const [savedAt, digest, version] = [fields.get("savedAt"), fields.get("sha256"), fields.get("version")];
  if (fields.get("format") !== FORMAT) throw new CopyFault("it is no copy of a registry");
  if (version !== VERSION) throw new CopyFault(`it is of version ${String(version)}, not ${VERSION}`);
  if (typeof savedAt !== "number" || typeof digest !== "string") throw new CopyFault("its first line is broken");
  return { savedAt, sha256: digest };
}

function endpointFrom(item: unknown): EndpointSpec {
  const [id, record]: readonly unknown[] = Array.isArray(item) ? item : [];
  const endpoint = typeof id === "string" ? endpointOf({ id, json: JSON.stringify(record) ?? null }) : null;
  if (endpoint === null || "reason" in endpoint) throw new CopyFault("it holds an endpoint that cannot be used");
  return endpoint;
}

function setFrom(line: string, at: number): readonly [string, KnownSet] {
  const [service, mark, endpoints]: readonly unknown[] = [...fieldsOf(line).values()];
  if (typeof service !== "string" || typeof mark !== "string" || !Array.isArray(endpoints)) {
    throw new CopyFault("it holds a line that is no service");
  }
  return [service, { mark, at, endpoints: endpoints.map(endpointFrom) }];
}

/** What a copy holds. Throws a CopyFault when any of it is not as it was written. */
export function readCopy(text: string): { readonly savedAt: number; readonly sets: ReadonlyMap<string, KnownSet> } {
  const head = copyHead(text);
  const body = text.slice(text.indexOf("\n") + 1);
  if (sha256(body) !== head.sha256) throw new CopyFault("it is cut short or damaged");
  const lines = body.split("\n").slice(0, -1);
  return { savedAt: head.savedAt, sets: new Map(lines.map((line) => setFrom(line, head.savedAt))) };
}
