/** What an endpoint says of its own load. Shares of what it has are 0 to 1. */
export interface MeshLoad {
  readonly cpu?: number;
  readonly memory?: number;
  /** Requests that it works on. */
  readonly inFlight?: number;
}

/** A share that moved by so much is told to gateways at once. */
const TOLD_STEP = 0.1;
const THOUSAND = 1000;

function share(value: number | undefined): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Math.round(Math.min(1, Math.max(0, value)) * THOUSAND) / THOUSAND;
}

/** The load in bounds and three digits; what is no finite number is left out, as a report must not end a service. */
export function tidyLoad({ cpu, memory, inFlight }: MeshLoad): MeshLoad {
  const [cpuShare, memoryShare] = [share(cpu), share(memory)];
  const count = inFlight === undefined || !Number.isFinite(inFlight) ? null : Math.max(0, Math.round(inFlight));
  return {
    ...(cpuShare === null ? {} : { cpu: cpuShare }),
    ...(memoryShare === null ? {} : { memory: memoryShare }),
    ...(count === null ? {} : { inFlight: count }),
  };
}

function hasMoved(from: number | undefined, to: number | undefined): boolean {
  if (from === undefined || to === undefined) return from !== to;
  // Shares have three digits: half of the last one is what arithmetic may lose.
  return Math.abs(to - from) >= TOLD_STEP - 0.0005;
}

/** Says whether gateways should know of a load now; the number in flight alone is no such news. */
export function isLoadNews(from: MeshLoad | undefined, to: MeshLoad | undefined): boolean {
  return hasMoved(from?.cpu, to?.cpu) || hasMoved(from?.memory, to?.memory);
}
