import type { Match } from "./match.ts";
import type { Segment } from "./path-match.ts";
import type { Found, RouteRule } from "./rule.ts";

/** A candidate as the tables hold it. */
export interface Entry<T> {
  /** Place in the order of precedence; the smaller wins within a host. */
  readonly rank: number;
  /** True when host and path are all that counts: then neither rule nor match is looked at. */
  readonly isPlain: boolean;
  /** True when what is found depends on the path itself. */
  readonly isPattern: boolean;
  /** What is found where nothing of the path has to be cut out. */
  readonly found: Found<T>;
  readonly rule: RouteRule<T>;
  readonly match: Match;
  /** The entry behind it in the same place, of a higher rank. */
  next: Entry<T> | null;
}

/** An entry of a rule's match. */
export function entryOf<T>(rank: number, { rule, match, found }: Pick<Entry<T>, "rule" | "match" | "found">): Entry<T> {
  const isFree = match.methods.length === 0 && match.headers.length === 0 && match.query.length === 0;
  const isPattern = match.path?.kind === "pattern";
  return { rank, isPlain: isFree && rule.listeners === null, isPattern, found, rule, match, next: null };
}

/** A literal segment and what follows it. */
export interface Edge<T> {
  readonly literal: string;
  readonly node: TreeNode<T>;
}

/**
 * A place in the tree of segments; null means empty. Entries are linked, in order of rank: with 10,000 routes every
 * object that a search need not touch is a miss of the processor's cache less.
 */
export interface TreeNode<T> {
  /** Literal segments while they are few: comparing in place is quicker than cutting a segment out to hash it. */
  few: Edge<T>[] | null;
  /** All of them by segment once they are many; then `few` is null. */
  many: Map<string, TreeNode<T>> | null;
  param: TreeNode<T> | null;
  /** For paths that end here. */
  whole: Entry<T> | null;
  /** For paths that end here or go on. */
  open: Entry<T> | null;
}

/** The routes of one hostname. */
export interface HostTable<T> {
  readonly root: TreeNode<T>;
  readonly regexes: Entry<T>[];
}

const FEW = 4;

function createNode<T>(): TreeNode<T> {
  return { few: null, many: null, param: null, whole: null, open: null };
}

export function createHostTable<T>(): HostTable<T> {
  return { root: createNode(), regexes: [] };
}

function childOf<T>(node: TreeNode<T>, literal: string): TreeNode<T> | undefined {
  return node.many?.get(literal) ?? node.few?.find((edge) => edge.literal === literal)?.node;
}

function addChild<T>(node: TreeNode<T>, edge: Edge<T>): void {
  const few = [...(node.few ?? []), edge];
  if (node.many !== null) {
    node.many.set(edge.literal, edge.node);
  } else if (few.length <= FEW) {
    node.few = few;
  } else {
    node.many = new Map(few.map(({ literal, node }) => [literal, node]));
    node.few = null;
  }
}

function child<T>(node: TreeNode<T>, literal: string): TreeNode<T> {
  const known = childOf(node, literal);
  if (known !== undefined) return known;
  const made = createNode<T>();
  addChild(node, { literal, node: made });
  return made;
}

function literalNode<T>(root: TreeNode<T>, path: string): TreeNode<T> {
  if (path === "") return root;
  let node = root;
  for (const segment of path.slice(1).split("/")) node = child(node, segment);
  return node;
}

function patternNode<T>(root: TreeNode<T>, segments: readonly Segment[]): TreeNode<T> {
  let node = root;
  for (const segment of segments) {
    if ("literal" in segment) node = child(node, segment.literal);
    else node = node.param ??= createNode();
  }
  return node;
}

/** Links an entry behind those of lower rank. */
function linked<T>(first: Entry<T> | null, entry: Entry<T>): Entry<T> {
  if (first === null) return entry;
  let last = first;
  while (last.next !== null) last = last.next;
  last.next = entry;
  return first;
}

function addOpen<T>(node: TreeNode<T>, entry: Entry<T>): void {
  node.open = linked(node.open, entry);
}

function addWhole<T>(node: TreeNode<T>, entry: Entry<T>): void {
  node.whole = linked(node.whole, entry);
}

/** Adds an entry to a table; entries must come in order of rank. */
export function addEntry<T>({ root, regexes }: HostTable<T>, entry: Entry<T>): void {
  const path = entry.match.path;
  if (path === null) addOpen(root, entry);
  else if (path.kind === "regex") regexes.push(entry);
  else if (path.kind === "exact") addWhole(literalNode(root, path.path), entry);
  else if (path.kind === "prefix") addOpen(literalNode(root, path.path), entry);
  else if (path.isPrefix) addOpen(patternNode(root, path.segments), entry);
  else addWhole(patternNode(root, path.segments), entry);
}
