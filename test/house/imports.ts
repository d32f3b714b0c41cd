import { dirname, join } from "node:path";
import type { SourceFile } from "./project-files.ts";
import type { RoomRule } from "./rooms.ts";

/** One import of a file, as it is written. */
export interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}

const FROM = /^[ \t]*(?:import|export)\b([^;"'`]*?)\bfrom\s+"([^"]+)"/gm;
const BARE = /^[ \t]*import\s+"([^"]+)"/gm;
const CALL = /(\btypeof\s+)?\bimport\(\s*"([^"]+)"/g;

/** `type X` or `{ type A, type B }`: nothing of it is left at run time. */
function isTypeClause(clause: string): boolean {
  const words = clause.trim();
  if (/^type\b/.test(words)) return true;
  const names = /^\{([\s\S]*)\}$/.exec(words)?.[1];
  if (names === undefined) return false;
  const listed = names.split(",").filter((name) => name.trim() !== "");
  return listed.length > 0 && listed.every((name) => /^\s*type\s/.test(name));
}

/** Every static, dynamic and type import of a file that the formatter has laid out. */
export function importsOf(text: string): readonly Import[] {
  const code = text.replace(/^[ \t]*(?:\/\/|\/?\*).*$/gm, "");
  const clauses = [...code.matchAll(FROM)].map(([, clause = "", specifier = ""]) => {
    return { specifier, isType: isTypeClause(clause) };
  });
  const bare = [...code.matchAll(BARE)].map(([, specifier = ""]) => ({ specifier, isType: false }));
  const calls = [...code.matchAll(CALL)].map(([, type, specifier = ""]) => ({ specifier, isType: type !== undefined }));
  return [...clauses, ...bare, ...calls];
}

/** The path that a relative specifier names; null for packages and built-in modules. */
function target(file: string, specifier: string): string | null {
  return specifier.startsWith(".") ? join(dirname(file), specifier) : null;
}

/** The room of a path such as `src/wire/pool.ts` or `packages/mesh/src/keys.ts`; null for what is no room. */
export function roomOf(path: string): string | null {
  const workspace = /^packages\/[^/]+(?=\/src\/)/.exec(path)?.[0];
  if (workspace !== undefined) return workspace;
  if (path.startsWith("plugins/")) return "plugins";
  return /^src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(path)?.[1] ?? null;
}

function isAllowed(rule: RoomRule, room: string, edge: { readonly to: string; readonly isType: boolean }): boolean {
  if (rule.values.includes(room)) return true;
  if (edge.isType && rule.types?.includes(room)) return true;
  return rule.files?.some((pattern) => pattern.test(edge.to.replace(/^src\//, ""))) ?? false;
}

/** Imports that the table does not allow, as sentences; empty when the house is in order. */
export function tableFaults(files: readonly SourceFile[], rooms: Readonly<Record<string, RoomRule>>): string[] {
  const faults = files.flatMap(({ path, text }) => {
    const from = roomOf(path) ?? path;
    const rule = rooms[from];
    if (rule === undefined) return [`${path}: no room ${from} in the table`];
    return importsOf(text).flatMap(({ specifier, isType }) => {
      const to = target(path, specifier);
      const room = to === null ? null : (roomOf(to) ?? to);
      if (to === null || room === null || room === from) return [];
      const kind = isType ? "types of" : "";
      return isAllowed(rule, room, { to, isType }) ? [] : [`${path}: ${from} may not import ${kind} ${to}`];
    });
  });
  return faults.map((fault) => fault.replace(/ {2,}/g, " "));
}

/** The first cycle of files found, as a path that ends where it began; null when there is none. */
export function findCycle(files: readonly SourceFile[]): readonly string[] | null {
  const edges = new Map(
    files.map(({ path, text }) => [path, importsOf(text).flatMap(({ specifier }) => target(path, specifier) ?? [])]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const next of edges.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of edges.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}
