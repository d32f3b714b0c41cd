import type { EndpointJudge } from "../registry/registry.ts";
import type { Endpoint } from "./endpoint.ts";

export interface AnsweringDeps {
  /** The present set. */
  readonly endpoints: () => readonly Endpoint[];
  /** Null: no checks are made, and there is no judge. */
  readonly isHealthy: ((endpoint: Endpoint) => boolean) | null;
}

/** Tells a registry which endpoints answer their health checks; those that nobody checked yet count as if they did. */
export function createAnswering({ endpoints, isHealthy }: AnsweringDeps): EndpointJudge | null {
  if (isHealthy === null) return null;
  let present: readonly Endpoint[] = [];
  let byId = new Map<string, Endpoint>();
  return ({ id, url }) => {
    if (present !== endpoints()) {
      present = endpoints();
      byId = new Map(present.map((endpoint) => [endpoint.id, endpoint]));
    }
    const endpoint = byId.get(id);
    return endpoint === undefined || endpoint.url !== url || isHealthy(endpoint);
  };
}
