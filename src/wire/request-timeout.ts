import { GatewayError } from "../errors.ts";
import { isGrpc } from "./grpc.ts";
import type { HeaderList } from "./header-list.ts";

const GRPC = "grpc-timeout";
const PLAIN = "x-request-timeout";
/** The fields in which clients say how long they wait for a response. */
export const TIMEOUT_FIELDS: readonly string[] = [GRPC, PLAIN];

/** Nobody waits longer: a longer time is none. */
const LONGEST_MS = 24 * 86_400_000;
/** Of milliseconds a `grpc-timeout` holds no more. */
const GRPC_LIMIT = 99_999_999;

// gRPC over HTTP2: at most eight digits and a unit.
const GRPC_VALUE = /^(\d{1,8})([HMSmun])$/;
const GRPC_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const PLAIN_VALUE = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?$/;
const PLAIN_UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Says whether a client says how long it waits. */
export function tellsTimeout({ block, names }: HeaderList): boolean {
  if (block === null) return hasTimeout(names);
  // Equal heads share their block: most requests ask nothing but this.
  block.tellsTimeout ??= hasTimeout(names);
  return block.tellsTimeout;
}

function hasTimeout(names: readonly string[]): boolean {
  return names.includes(GRPC) || names.includes(PLAIN);
}

/**
 * Milliseconds that a client waits for its response, the shorter where it tells two; null where it tells none, or more
 * than 24 days. Throws `bad_request` for a value that is malformed or given twice.
 */
export function requestTimeoutMs(headers: HeaderList): number | null {
  const ms = Math.min(
    valueMs(headers, { name: GRPC, pattern: GRPC_VALUE, units: GRPC_UNIT_MS }),
    valueMs(headers, { name: PLAIN, pattern: PLAIN_VALUE, units: PLAIN_UNIT_MS }),
  );
  return ms > LONGEST_MS ? null : ms;
}

interface Form {
  readonly name: string;
  readonly pattern: RegExp;
  readonly units: Readonly<Record<string, number>>;
}

function valueMs(headers: HeaderList, { name, pattern, units }: Form): number {
  const values = headers.values(name);
  if (values.length === 0) return Number.POSITIVE_INFINITY;
  const [, count, unit = "s"] = (values.length === 1 && pattern.exec(values[0] ?? "")) || [];
  if (count === undefined) throw new GatewayError("bad_request", `The field ${name} is malformed or given twice.`);
  return Number(count) * (units[unit] ?? 0);
}

/** The field in which a request of this kind tells a timeout: a gRPC call's, or any other's. */
export function timeoutField(headers: HeaderList): string {
  return isGrpc(headers) ? GRPC : PLAIN;
}

/** `leftMs`, 1 at least, as the value of a field whose value was `given`: as a number where that was one, or none. */
export function timeoutValue(name: string, given: string, leftMs: number): string {
  const ms = Math.max(1, Math.floor(leftMs));
  if (name === GRPC) return ms > GRPC_LIMIT ? `${Math.floor(ms / 1000)}S` : `${ms}m`;
  return /\d$|^$/.test(given) ? String(ms / 1000) : `${ms}ms`;
}
