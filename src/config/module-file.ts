import { plugin } from "bun";
import { z } from "zod";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { compileRegex, createMemoryLimits, definePlugin } from "../plugin.ts";
import { defineRoutes } from "./define.ts";
import type { ConfigDocument, ParsedFile } from "./document.ts";
import { importWithin } from "./module-import.ts";
import { fieldOf, type Path } from "./path.ts";
import type { Place } from "./types.ts";

export interface ModuleFile {
  /** As it is to be shown in faults. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

let isServed = false;

/** Lets users' files import "torii" wherever they stand, and get what src/torii.ts gives, from this very process. */
export function serveToriiModule(): void {
  if (isServed) return;
  isServed = true;
  plugin({
    name: "torii",
    setup: (build) =>
      void build.module("torii", () => ({
        exports: { compileRegex, createMemoryLimits, defineRoutes, definePlugin, z },
        loader: "object",
      })),
  });
}

/** The offset of the line's first character. */
function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function keyOffset(text: string, key: string, from: number): number {
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`(?<![\\w$.])["']?${escaped}["']?\\s*[:,(}]`, "g");
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? -1;
}

/** An entry of a list is found by what names it. */
function entryOffset(text: string, entry: unknown, from: number): number {
  if (typeof entry === "string") return text.indexOf(JSON.stringify(entry), from);
  if (typeof entry !== "object" || entry === null) return -1;
  for (const name of ["name", "use", "service", "url"]) {
    const value: unknown = Reflect.get(entry, name);
    const offset = typeof value === "string" ? text.indexOf(JSON.stringify(value), from) : -1;
    if (offset >= 0) return lineStart(text, offset);
  }
  return -1;
}

function valueAt(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

/** Where the path's last key that can be found stands; -1 when none can. A search, not a parser: it may miss. */
function searchOffset(text: string, path: Path, value: unknown): number {
  let found = -1;
  let from = Math.max(text.search(/defineRoutes\s*\(|export\s+default/), 0);
  let at = value;
  for (const key of path) {
    at = valueAt(at, key);
    const offset = typeof key === "number" ? entryOffset(text, at, from) : keyOffset(text, String(key), from);
    if (offset < 0) continue;
    found = offset;
    from = offset;
  }
  return found;
}

function placeIn(file: ModuleFile, path: Path, value: unknown): Place {
  const offset = searchOffset(file.text, path, value);
  const field = fieldOf(path);
  if (offset < 0) return { file: file.file, line: null, column: null, field };
  const line = file.text.slice(0, offset).split("\n").length;
  return { file: file.file, line, column: offset - lineStart(file.text, offset) + 1, field };
}

function numberOf(from: unknown, name: string): number | null {
  const value: unknown = Reflect.get(Object(from), name);
  return typeof value === "number" && value > 0 ? value : null;
}

/** A failed import as faults; a build error holds several, each with its position. */
export function importIssues(file: string, error: unknown): readonly ConfigIssue[] {
  if (error instanceof ConfigError) return error.issues;
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  return errors.map((one) => {
    const message =
      one instanceof Error || (typeof one === "object" && one !== null && "message" in one) ? one.message : one;
    const position: unknown = Reflect.get(Object(one), "position");
    return {
      file,
      line: numberOf(position, "line"),
      column: numberOf(position, "column"),
      field: "",
      message: `cannot be loaded: ${String(message)}`,
    };
  });
}

function moduleDocument(file: ModuleFile, value: unknown): ConfigDocument {
  return {
    file: file.file,
    value,
    rereads: new Map(),
    unfilled: new Set(),
    place: (path) => placeIn(file, path, value),
  };
}

/**
 * Loads a TypeScript file whose default export is what `defineRoutes` gives. The same text gives the same module;
 * a changed text is loaded anew, and the old module stays in memory. What the file imports itself is not reloaded.
 * A top level that takes longer than `timeoutMs` is a fault.
 */
export async function loadModuleFile(file: ModuleFile, timeoutMs: number): Promise<ParsedFile> {
  serveToriiModule();
  try {
    const loaded = await importWithin(`${file.path}?v=${Bun.hash(file.text).toString(36)}`, timeoutMs);
    const value = valueAt(loaded, "default");
    if (typeof value === "object" && value !== null) return { documents: [moduleDocument(file, value)], issues: [] };
    const message = "exports no routes; write export default defineRoutes({ … })";
    return { documents: [], issues: [{ file: file.file, line: null, column: null, field: "", message }] };
  } catch (error) {
    return { documents: [], issues: importIssues(file.file, error) };
  }
}
