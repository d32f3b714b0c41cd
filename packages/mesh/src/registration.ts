import { isLoadNews } from "./load.ts";
import type { MeshEndpoint } from "./record.ts";
import type { MeshWriter } from "./writer.ts";

export interface RegistrationOptions {
  readonly writer: Pick<MeshWriter, "register">;
  readonly service: string;
  /** What is to be written now. */
  readonly endpoint: () => MeshEndpoint;
  readonly leaseMs: number;
}

function isQuiet(told: MeshEndpoint, next: MeshEndpoint): boolean {
  const { load: toldLoad, ...toldRest } = told;
  const { load: nextLoad, ...nextRest } = next;
  return JSON.stringify(toldRest) === JSON.stringify(nextRest) && !isLoadNews(toldLoad, nextLoad);
}

/** Writes an endpoint, again and again: gateways are told of what is news, and not of each small change of its load. */
export function createRegistration({ writer, service, endpoint, leaseMs }: RegistrationOptions): () => Promise<void> {
  /** What gateways were told last, and what stands in Redis, as far as is known. */
  let told: MeshEndpoint | null = null;
  let written: MeshEndpoint | null = null;

  return async () => {
    const next = endpoint();
    const replaced = told !== null && isQuiet(told, next) ? written : null;
    const isTold = await writer.register(service, next, { leaseMs, replaced });
    if (isTold || told === null) told = next;
    written = next;
  };
}
