import type { ErrorCode } from "../errors.ts";
import type { ResponseHead } from "../wire/exchange.ts";
import { grpcStatus, isGrpc } from "../wire/grpc.ts";
import type { HeaderList } from "../wire/header-list.ts";

/** Statuses of gRPC that another attempt may be made for. */
export type GrpcCondition = "cancelled" | "deadline_exceeded" | "internal" | "resource_exhausted" | "unavailable";

const WORDS: ReadonlyMap<number, GrpcCondition> = new Map([
  [1, "cancelled"],
  [4, "deadline_exceeded"],
  [8, "resource_exhausted"],
  [13, "internal"],
  [14, "unavailable"],
]);

/** DEADLINE_EXCEEDED, as a number. */
export const DEADLINE_EXCEEDED = 4;

/**
 * Statuses that stand for a fault of the server: UNKNOWN (which exceptions become), DEADLINE_EXCEEDED, INTERNAL,
 * UNAVAILABLE and DATA_LOSS. UNIMPLEMENTED is none: clients choose what they call.
 */
const FAULTS: ReadonlySet<number> = new Set([2, DEADLINE_EXCEEDED, 13, 14, 15]);

/** The status that a response's head tells, having trailers only; null where it tells none. */
export function headGrpcStatus({ status, headers }: ResponseHead): number | null {
  const told = status === 200 ? headers.first("grpc-status") : null;
  return told !== null && /^\d{1,2}$/.test(told) ? Number(told) : null;
}

/** At most a day or so: a runtime's timer holds no more than 24. */
const PUSHBACK = /^\d{1,8}$/;

/**
 * How many milliseconds a server that refused a call wants to be left alone before it comes again (gRPC A6,
 * `grpc-retry-pushback-ms`); infinity where it is not to come again, which all but a number says too; null where it
 * says nothing.
 */
export function pushbackOf(head: ResponseHead): number | null {
  const told = headGrpcStatus(head) === null ? null : head.headers.first("grpc-retry-pushback-ms");
  if (told === null) return null;
  return PUSHBACK.test(told) ? Number(told) : Number.POSITIVE_INFINITY;
}

/** Says whether a status of gRPC is the server's fault. */
export function isGrpcFault(status: number): boolean {
  return FAULTS.has(status);
}

/** The condition that a response's head meets by its status of gRPC; null for none. */
export function headCondition(head: ResponseHead): GrpcCondition | null {
  const status = headGrpcStatus(head);
  return status === null ? null : (WORDS.get(status) ?? null);
}

/** The condition that a failed attempt meets, by what a gRPC client would be told; null for other requests. */
export function errorCondition(code: ErrorCode, headers: HeaderList): GrpcCondition | null {
  return isGrpc(headers) ? (WORDS.get(grpcStatus(code)) ?? null) : null;
}
