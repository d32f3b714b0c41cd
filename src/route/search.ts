import type { Edge, Entry, HostTable, TreeNode } from "./host-table.ts";
import { conditionsHold, type RouteRequest } from "./match.ts";

const SLASH = 0x2f;

/** Says whether a candidate takes a request whose host and path it takes. */
function takes<T>(entry: Entry<T>, request: RouteRequest): boolean {
  if (entry.isPlain) return true;
  const { rule, match } = entry;
  if (rule.listeners !== null && !rule.listeners.includes(request.listener)) return false;
  return conditionsHold(match, request);
}

/** The first of linked entries that takes the request, if it goes before `best`; else `best`. */
function better<T>(best: Entry<T> | null, first: Entry<T> | null, request: RouteRequest): Entry<T> | null {
  for (let entry = first; entry !== null; entry = entry.next) {
    if (best !== null && entry.rank >= best.rank) return best;
    if (takes(entry, request)) return entry;
  }
  return best;
}

/** A request on its way through the tables of its hosts. */
export class Search<T> {
  readonly #path: string;
  readonly #request: RouteRequest;
  #best: Entry<T> | null = null;

  /** `path` is canonical. */
  constructor(path: string, request: RouteRequest) {
    this.#path = path;
    this.#request = request;
  }

  /** The entry that goes before all others of a table which take the request, or null. */
  in(table: HostTable<T>): Entry<T> | null {
    // The `*` of OPTIONS has no segments: only what takes every path takes it.
    if (this.#path.charCodeAt(0) === SLASH) this.#visit(table.root, 1);
    else this.#best = better(null, table.root.open, this.#request);
    return this.#best ?? this.#regexIn(table.regexes);
  }

  /** Deeper before shallower: what is found deep spares most conditions of what is above. */
  #visit(node: TreeNode<T>, start: number): void {
    if (start > this.#path.length) {
      this.#best = better(this.#best, node.whole, this.#request);
    } else {
      if (node.few !== null) this.#visitFew(node.few, start);
      else if (node.many !== null) this.#visitMany(node.many, start);
      if (node.param !== null) this.#visitParam(node.param, start);
    }
    this.#best = better(this.#best, node.open, this.#request);
  }

  #visitFew(edges: readonly Edge<T>[], start: number): void {
    for (const { literal, node } of edges) {
      const end = start + literal.length;
      const isWhole = end === this.#path.length || this.#path.charCodeAt(end) === SLASH;
      if (isWhole && this.#path.startsWith(literal, start)) {
        this.#visit(node, end + 1);
        return;
      }
    }
  }

  #visitMany(children: ReadonlyMap<string, TreeNode<T>>, start: number): void {
    const end = this.#segmentEnd(start);
    const child = children.get(this.#path.slice(start, end));
    if (child !== undefined) this.#visit(child, end + 1);
  }

  #visitParam(param: TreeNode<T>, start: number): void {
    const end = this.#segmentEnd(start);
    if (end > start) this.#visit(param, end + 1);
  }

  #segmentEnd(start: number): number {
    const slash = this.#path.indexOf("/", start);
    return slash < 0 ? this.#path.length : slash;
  }

  #regexIn(regexes: readonly Entry<T>[]): Entry<T> | null {
    for (const entry of regexes) {
      const path = entry.match.path;
      if (path?.kind === "regex" && path.regex.test(this.#path) && takes(entry, this.#request)) return entry;
    }
    return null;
  }
}
