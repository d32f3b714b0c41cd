import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import type { Filled } from "./interpolate.ts";
import { type Path, pathKey } from "./path.ts";

// Enough for any real file; what is beyond was written to exhaust us (a "billion laughs").
const ALIASED_NODES_LIMIT = 20_000;
const DEPTH_LIMIT = 100;

/** A fault found while a tree was read; `offset` is a position in the text. */
export interface TreeFault {
  readonly path: Path;
  readonly offset: number;
  readonly message: string;
}

export interface Tree {
  readonly value: unknown;
  readonly faults: readonly TreeFault[];
  /** By path key: what a text that was one whole placeholder would be as a number or a boolean. */
  readonly rereads: ReadonlyMap<string, unknown>;
  /** Path keys of the texts with a placeholder that could not be filled. */
  readonly unfilled: ReadonlySet<string>;
}

interface Reader {
  readonly document: Document;
  readonly fill: (text: string) => Filled;
  readonly lineAt: (offset: number) => number;
  readonly faults: TreeFault[];
  readonly rereads: Map<string, unknown>;
  readonly unfilled: Set<string>;
  aliasDepth: number;
  aliasedNodes: number;
}

/** Where a node starts in the text; 0 when it has no place of its own. */
export function startOf(node: unknown): number {
  return typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range)
    ? Number(node.range[0])
    : 0;
}

/** The key of a pair as text; null for a key that is a list or a map. */
export function keyText(pair: Pair): string | null {
  const { key } = pair;
  if (!isScalar(key)) return null;
  return key.value === null ? "" : String(key.value);
}

/** A number or a boolean whose usual spelling is exactly this text; undefined for any other text. */
function reread(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text !== "" && String(number) === text && Number.isFinite(number) ? number : undefined;
}

function fault(reader: Reader, node: unknown, at: { readonly path: Path; readonly message: string }): void {
  reader.faults.push({ path: at.path, offset: startOf(node), message: at.message });
}

function textValue(reader: Reader, node: Node, at: { readonly path: Path; readonly text: string }): string {
  const filled = reader.fill(at.text);
  for (const message of filled.faults) fault(reader, node, { path: at.path, message });
  if (filled.faults.length > 0) reader.unfilled.add(pathKey(at.path));
  if (filled.isWhole) {
    const other = reread(filled.text);
    if (other !== undefined) reader.rereads.set(pathKey(at.path), other);
  }
  return filled.text;
}

function aliasValue(reader: Reader, alias: Alias, path: Path): unknown {
  const target = alias.resolve(reader.document);
  if (target === undefined) {
    fault(reader, alias, { path, message: `*${alias.source} names no anchor; write &${alias.source} before it` });
    return null;
  }
  reader.aliasDepth++;
  const value = nodeValue(reader, target, path);
  reader.aliasDepth--;
  return value;
}

function mergeInto(
  reader: Reader,
  into: Record<string, unknown>,
  at: { readonly node: unknown; readonly path: Path },
): void {
  const { node, path } = at;
  const sources = isSeq(node) ? node.items : [node];
  for (const source of sources) {
    const value = nodeValue(reader, source, path);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      fault(reader, source, { path: [...path, "<<"], message: "is not a map; write << with an alias of a map" });
      continue;
    }
    for (const [key, item] of Object.entries(value)) if (!Object.hasOwn(into, key)) into[key] = item;
  }
}

function keyFault(key: string | null, firstLine: number | undefined): string | null {
  if (key === null) return "a key is a list or a map; write a plain text as key";
  if (key === "__proto__") return "this key cannot be used; choose another name";
  return firstLine === undefined ? null : `is given twice, first on line ${firstLine}; keep one of them`;
}

function mapValue(reader: Reader, map: YAMLMap, path: Path): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  const lines = new Map<string, number>();
  const merges: unknown[] = [];
  for (const pair of map.items) {
    const key = keyText(pair);
    const message = keyFault(key, key === null ? undefined : lines.get(key));
    if (key === null || message !== null) {
      fault(reader, pair.key, { path: key === null ? path : [...path, key], message: message ?? "" });
      continue;
    }
    lines.set(key, reader.lineAt(startOf(pair.key)));
    if (key === "<<") merges.push(pair.value);
    else value[key] = nodeValue(reader, pair.value, [...path, key]);
  }
  // What stands in the map itself wins over what is merged in, wherever the `<<` stands.
  for (const node of merges) mergeInto(reader, value, { node, path });
  return value;
}

function isTooMuch(reader: Reader, node: Node, path: Path): boolean {
  if (path.length > DEPTH_LIMIT) {
    fault(reader, node, {
      path: path.slice(0, 8),
      message: `is nested deeper than ${DEPTH_LIMIT} levels; write it flatter`,
    });
    return true;
  }
  if (reader.aliasDepth === 0) return false;
  reader.aliasedNodes++;
  if (reader.aliasedNodes === ALIASED_NODES_LIMIT + 1) {
    fault(reader, node, { path, message: "its aliases expand to too much; write fewer of them" });
  }
  return reader.aliasedNodes > ALIASED_NODES_LIMIT;
}

function nodeValue(reader: Reader, node: unknown, path: Path): unknown {
  if (isScalar(node)) {
    if (reader.aliasDepth > 0 && isTooMuch(reader, node, path)) return null;
    return typeof node.value === "string" ? textValue(reader, node, { path, text: node.value }) : node.value;
  }
  if (isAlias(node)) return isTooMuch(reader, node, path) ? null : aliasValue(reader, node, path);
  if (isMap(node)) return isTooMuch(reader, node, path) ? null : mapValue(reader, node, path);
  if (!isSeq(node) || isTooMuch(reader, node, path)) return null;
  return node.items.map((item, index) => nodeValue(reader, item, [...path, index]));
}

/** The plain value of a parsed document, placeholders filled in; duplicate keys and runaway aliases are faults. */
export function readTree(
  document: Document,
  deps: { readonly fill: (text: string) => Filled; readonly lineAt: (offset: number) => number },
): Tree {
  const reader: Reader = {
    document,
    ...deps,
    faults: [],
    rereads: new Map(),
    unfilled: new Set(),
    aliasDepth: 0,
    aliasedNodes: 0,
  };
  const value = nodeValue(reader, document.contents, []);
  return { value, faults: reader.faults, rereads: reader.rereads, unfilled: reader.unfilled };
}
