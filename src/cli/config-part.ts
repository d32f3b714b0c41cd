import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ConfigDocument, emptyDocument, parseFile } from "../config/document.ts";
import { createInterpolator } from "../config/interpolate.ts";
import { readFault } from "../config/regular-file.ts";
import { keepSecrets } from "../config/secret-values.ts";
import { type ConfigIssue, formatIssue } from "../errors.ts";

const DEFAULT_FILE = "torii.yaml";

/** Where a gateway's own file is looked for. */
export interface ConfigPlace {
  /** Null: `torii.yaml`, which may be missing. */
  readonly file: string | null;
  /** Relative paths start here. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

function readText(file: string): string {
  return readFileSync(file, "utf8");
}

function textIfAny(path: string, name: string): string {
  try {
    return readText(path);
  } catch (error) {
    if (name === DEFAULT_FILE) return "";
    throw new Error(`${name} ${readFault(error)}`);
  }
}

/** A gateway's own file with what is wrong in its text, such as a variable that is not set. */
export interface OwnFile {
  readonly document: ConfigDocument;
  readonly issues: readonly ConfigIssue[];
  /** Absolute; relative paths in the file start here. */
  readonly folder: string;
  /** A text without the file's secrets. */
  mask(text: string): string;
}

/**
 * A gateway's own file as it stands, unchecked: for who needs one part of it, a fault elsewhere is no matter. Throws an
 * Error when it cannot be read at all, as what stands for a missing part might be another gateway.
 */
export function openOwnFile({ file, cwd, env }: ConfigPlace): OwnFile {
  const name = file ?? DEFAULT_FILE;
  const path = resolve(cwd, name);
  const folder = dirname(path);
  const { fill, keepSecret, mask } = createInterpolator({ env, readText, folder });
  const { documents, issues } = parseFile({ file: name, text: textIfAny(path, name), fill });
  const [document = null] = documents;
  if (document === null && issues[0] !== undefined) throw new Error(formatIssue(issues[0]));
  keepSecrets(document?.value, keepSecret);
  return { document: document ?? emptyDocument(name), issues, folder, mask };
}

/** Its document alone. */
export function readOwnFile(place: ConfigPlace): ConfigDocument {
  return openOwnFile(place).document;
}

/** One key at the top of a document, as it was written. */
export function topValue({ value }: ConfigDocument, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

/** True for what has members by name. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
