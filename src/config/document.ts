import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Pair,
  Parser,
  type YAMLMap,
} from "yaml";
import type { ConfigIssue } from "../errors.ts";
import type { Filled } from "./interpolate.ts";
import type { Pace } from "./pace.ts";
import { fieldOf, type Path } from "./path.ts";
import { keyText, readTree, startOf, type TreeFault } from "./tree.ts";
import type { Place } from "./types.ts";

/** One document of a file: its plain value, and where each part of it stands. */
export interface ConfigDocument {
  readonly file: string;
  readonly value: unknown;
  /** By path key: the number or boolean that a whole placeholder's text could stand for. */
  readonly rereads: ReadonlyMap<string, unknown>;
  /** Path keys of texts that have a fault already, as a placeholder in them could not be filled. */
  readonly unfilled: ReadonlySet<string>;
  /** The place of the path's value, or of its key; of the nearest part above when the path leads nowhere. */
  place(path: Path, at?: "key" | "value"): Place;
}

export interface ParsedFile {
  /** Empty documents are left out. With issues, what could be read all the same. */
  readonly documents: readonly ConfigDocument[];
  readonly issues: readonly ConfigIssue[];
}

export interface FileText {
  /** As it is to be shown in faults. */
  readonly file: string;
  readonly text: string;
  readonly fill: (text: string) => Filled;
}

/** What stands for a file that is not there, or holds nothing. */
export function emptyDocument(file: string): ConfigDocument {
  return {
    file,
    value: {},
    rereads: new Map(),
    unfilled: new Set(),
    place: (path) => ({ file, line: null, column: null, field: fieldOf(path) }),
  };
}

const SYNTAX_ISSUES_LIMIT = 5;

// Places of thousands of entries of one map are asked for: each map is indexed once.
const INDEXES = new WeakMap<YAMLMap, ReadonlyMap<string | null, Pair>>();

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  const index = INDEXES.get(map) ?? new Map(map.items.toReversed().map((pair) => [keyText(pair), pair]));
  INDEXES.set(map, index);
  return index.get(key);
}

function resolved(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** The pair that gives a map this key, its own or one that is merged in. */
function findPair(document: Document, map: YAMLMap, key: string): Pair | undefined {
  const own = pairOf(map, key);
  if (own !== undefined) return own;
  const merged = resolved(document, pairOf(map, "<<")?.value);
  for (const source of isSeq(merged) ? merged.items : [merged]) {
    const node = resolved(document, source);
    const pair = isMap(node) ? pairOf(node, key) : undefined;
    if (pair !== undefined) return pair;
  }
  return undefined;
}

/** A key without a value has no place but the key's. */
function isNothing(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null && value.source === "");
}

function offsetOf(document: Document, path: Path, at: "key" | "value"): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const [depth, key] of path.entries()) {
    const inner = resolved(document, node);
    if (isSeq(inner)) node = inner.items[Number(key)];
    else if (isMap(inner)) {
      const pair = findPair(document, inner, String(key));
      if (pair === undefined) return offset;
      const isKey = (at === "key" && depth === path.length - 1) || isNothing(pair.value);
      node = pair.value;
      offset = startOf(isKey ? pair.key : pair.value);
      continue;
    } else return offset;
    if (node === undefined || node === null) return offset;
    offset = startOf(node);
  }
  return offset;
}

function syntaxMessage(message: string): string {
  const text = /call stack/.test(message) ? "it is nested too deeply" : (message.split("\n")[0] ?? message);
  return `cannot be read as YAML or JSON: ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** One fault brings others with it: of those on one line only the first helps, and few lines say enough. */
function syntaxIssues(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  const firsts = issues.filter((issue, at) => issues.findIndex(({ line }) => line === issue.line) === at);
  return firsts.slice(0, SYNTAX_ISSUES_LIMIT);
}

function configDocument(document: Document, lines: LineCounter, input: FileText): ParsedFile {
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const located = (fault: TreeFault): ConfigIssue => ({
    file: input.file,
    ...position(fault.offset),
    field: fieldOf(fault.path),
    message: fault.message,
  });
  const broken = [...document.errors, ...document.warnings].slice(0, SYNTAX_ISSUES_LIMIT * 10);
  if (broken.length > 0) {
    const faults = broken.map(({ pos, message }) => ({ path: [], offset: pos[0], message: syntaxMessage(message) }));
    return { documents: [], issues: syntaxIssues(faults.map(located)) };
  }
  const tree = readTree(document, { fill: input.fill, lineAt: (offset) => position(offset).line });
  const place = (path: Path, at: "key" | "value" = "value"): Place => ({
    file: input.file,
    ...position(offsetOf(document, path, at)),
    field: fieldOf(path),
  });
  const { value, rereads, unfilled } = tree;
  const documents = value === null ? [] : [{ file: input.file, value, rereads, unfilled, place }];
  return { documents, issues: tree.faults.map(located) };
}

function composed(tokens: readonly CST.Token[], lines: LineCounter, input: FileText): ParsedFile {
  // Duplicate keys are found by `readTree`, in linear time and with the first one's line.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false });
  const parts = [...composer.compose(tokens)].map((document) => configDocument(document, lines, input));
  return { documents: parts.flatMap((part) => part.documents), issues: parts.flatMap((part) => part.issues) };
}

/** The parser recurses: a bomb of brackets exhausts its stack, and some malformed input trips it. */
function unreadable(error: unknown, { file }: FileText): ParsedFile {
  const message = syntaxMessage(error instanceof Error ? error.message : String(error));
  return { documents: [], issues: [{ file, line: null, column: null, field: "", message }] };
}

/** Reads YAML (JSON included), one document or several. Never throws: what cannot be read is an issue. */
export function parseFile(input: FileText): ParsedFile {
  const lines = new LineCounter();
  try {
    return composed([...new Parser(lines.addNewLine).parse(input.text)], lines, input);
  } catch (error) {
    return unreadable(error, input);
  }
}

async function pacedTokens(text: string, lines: LineCounter, pace: Pace): Promise<readonly CST.Token[]> {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    const rest = pace.rest();
    if (rest !== null) await rest;
  }
  tokens.push(...parser.end());
  return tokens;
}

/** The same as `parseFile`, with pauses: reading a thousand routes takes long enough to be felt by requests. */
export async function parseFilePaced(input: FileText, pace: Pace): Promise<ParsedFile> {
  const lines = new LineCounter();
  try {
    return composed(await pacedTokens(input.text, lines, pace), lines, input);
  } catch (error) {
    return unreadable(error, input);
  }
}
