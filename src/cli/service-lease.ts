import type { MeshWriter } from "../registry/mesh-writer.ts";
import type { EndpointSpec } from "../registry/registry.ts";

export interface KeptEndpoint {
  readonly service: string;
  readonly endpoint: EndpointSpec;
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

/** A third, give or take a tenth of that: two renewals may be lost. */
const SHARE = 1 / 3;
const RETRY_MS = 1000;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Registers an endpoint and renews its lease until the signal aborts, through every loss of Redis, which it says once;
 * then takes it out. Resolves with whether it could: otherwise the lease runs out by itself.
 */
export async function keepEndpoint(
  mesh: Pick<MeshWriter, "register" | "deregister">,
  { service, endpoint, leaseMs }: KeptEndpoint,
  { say, signal, random }: LeaseOptions,
): Promise<boolean> {
  const name = `${service} ${endpoint.id}`;
  let isKept: boolean | null = null;
  while (!signal.aborted) {
    try {
      await mesh.register(service, endpoint, leaseMs);
      if (isKept !== true) say(`${name} is registered at ${endpoint.url}`);
      isKept = true;
    } catch (error) {
      if (isKept !== false) say(`${name} cannot be registered, trying on: ${reasonOf(error)}`);
      isKept = false;
    }
    const nextMs = leaseMs * SHARE * (0.9 + 0.2 * random());
    await pause(isKept ? nextMs : Math.min(nextMs, RETRY_MS), signal);
  }
  try {
    await mesh.deregister(service, endpoint.id);
    say(`${name} is taken out`);
    return true;
  } catch (error) {
    say(`${name} cannot be taken out, its lease will end: ${reasonOf(error)}`);
    return false;
  }
}
