import { createKeeper, type MemberState } from "../../packages/mesh/src/keeper.ts";
import type { MeshEndpoint } from "../../packages/mesh/src/record.ts";
import { createMeshWriter, type WriteLink } from "../../packages/mesh/src/writer.ts";

export interface KeptEndpoint {
  readonly service: string;
  readonly endpoint: MeshEndpoint;
  readonly leaseMs: number;
}

export interface LeaseOptions {
  /** Lines for people. */
  readonly say: (text: string) => void;
  /** Ends the keeping. */
  readonly signal: AbortSignal;
  /** 0 to 1, so that many services do not write in one moment. */
  readonly random: () => number;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

function lineOf(state: MemberState, reason: string | null, { url }: MeshEndpoint): string {
  if (state === "joined") return `is registered at ${url}`;
  if (state === "away") return `cannot be registered, trying on: ${reason}`;
  return reason === null ? "is taken out" : `cannot be taken out, its lease will end: ${reason}`;
}

/**
 * Registers an endpoint and renews its lease until the signal aborts, through every loss of Redis, which it says once;
 * then takes it out. Resolves with whether it could: otherwise the lease runs out by itself.
 */
export async function keepEndpoint(
  link: WriteLink,
  { service, endpoint, leaseMs }: KeptEndpoint,
  { say, signal, random }: LeaseOptions,
): Promise<boolean> {
  const keeper = createKeeper({
    writer: createMeshWriter(link),
    service,
    id: endpoint.id,
    endpoint: () => endpoint,
    leaseMs,
    random,
    holdsProcess: true,
    onState: (state, reason) => say(`${service} ${endpoint.id} ${lineOf(state, reason, endpoint)}`),
  });
  await aborted(signal);
  return await keeper.leave();
}
