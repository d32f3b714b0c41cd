import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkPart } from "../config/check.ts";
import { parseFile } from "../config/document.ts";
import { gatewaySchema } from "../config/gateway-schema.ts";
import { createInterpolator } from "../config/interpolate.ts";
import { formatIssue } from "../errors.ts";

/** A container's health check gives up after some seconds anyway: this answers before it is ended. */
const TIMEOUT_MS = 2500;
const DEFAULT_FILE = "torii.yaml";

interface StatusAddress {
  readonly address: string;
  readonly port: number;
}

interface Place {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

function readText(file: string): string {
  return readFileSync(file, "utf8");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** The `status` part of a configuration alone: a fault elsewhere is no matter of a health check. */
function statusOf(text: string, { file, env }: Place): StatusAddress {
  const { fill } = createInterpolator({ env, readText, folder: dirname(resolve(file)) });
  const { documents, issues } = parseFile({ file, text, fill });
  const [document] = documents;
  const schema = gatewaySchema.shape.status;
  // Only what cannot be read at all: falling back to the default port would ask another gateway.
  if (document === undefined && issues[0] !== undefined) throw new Error(formatIssue(issues[0]));
  if (document === undefined || !isRecord(document.value)) return schema.parse(undefined);
  const checked = checkPart(schema, document.value["status"], { document, path: ["status"] });
  if (!checked.isValid) throw new Error(`${file} status: ${checked.faults[0]?.message ?? "is not valid"}`);
  return checked.data;
}

function textIfAny(file: string): string {
  try {
    return readText(file);
  } catch (error) {
    if (file === DEFAULT_FILE) return "";
    throw error;
  }
}

/** Where to ask: an address that stands for all is asked through the loopback. */
function urlOf({ address, port }: StatusAddress): string {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/readyz`;
}

async function ask(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.status === 200 ? null : `${url} answered ${response.status}`;
  } catch (error) {
    return `${url} did not answer: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * `torii healthcheck [--config torii.yaml]`: asks the gateway on this machine whether it is ready, at the address
 * that `status` gives. Resolves with the exit status: 0 ready, 1 not ready or not there, 2 misuse.
 */
export async function healthcheck(args: readonly string[], env: Place["env"]): Promise<number> {
  let file: string;
  try {
    file = parseArgs({ args: [...args], options: { config: { type: "string" } } }).values.config ?? DEFAULT_FILE;
  } catch (error) {
    console.error(`torii healthcheck: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  try {
    const fault = await ask(urlOf(statusOf(textIfAny(file), { file, env })));
    if (fault !== null) console.error(`torii healthcheck: ${fault}`);
    return fault === null ? 0 : 1;
  } catch (error) {
    console.error(`torii healthcheck: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}
