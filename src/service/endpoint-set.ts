import type { EndpointSpec } from "../registry/registry.ts";
import { createEndpoint, type Endpoint, type EndpointDeps, toldAnew } from "./endpoint.ts";
import type { ServiceOptions } from "./options.ts";

/** The endpoints of a service, as its registry tells them. */
export interface EndpointSet {
  /** Replaced, never changed. */
  readonly current: readonly Endpoint[];
  /**
   * Takes the registry's set: endpoints that stayed, known by id and URL, keep their pools and with them all that is
   * known of them; those that left close theirs.
   */
  update(specs: readonly EndpointSpec[]): void;
  /** Closes idle connections; what is in flight goes on. */
  close(): void;
}

export interface EndpointSetDeps {
  readonly service: string;
  readonly options: ServiceOptions;
  readonly endpointDeps: EndpointDeps;
  /** Told of each endpoint that cannot be used, once as long as it is there: sets come often. */
  readonly onWarning: (message: string, facts: Readonly<Record<string, string>>) => void;
}

/** No endpoints yet. */
export function createEndpointSet({ service, options, endpointDeps, onWarning }: EndpointSetDeps): EndpointSet {
  let current: readonly Endpoint[] = [];
  let refused: ReadonlySet<string> = new Set();
  const refuse = (key: string, { id }: EndpointSpec) => {
    if (!refused.has(key))
      onWarning("endpoint ignored: its URL leads nowhere for this service", { service, endpoint: id });
    return key;
  };
  return {
    get current() {
      return current;
    },
    update(specs) {
      const known = new Map(current.map((endpoint) => [keyOf(endpoint), endpoint]));
      const kept: Endpoint[] = [];
      const useless = new Set<string>();
      // Of two that are one, the second's pool would be lost sight of.
      for (const [key, spec] of new Map(specs.map((one) => [keyOf(one), one]))) {
        const same = known.get(key);
        known.delete(key);
        const endpoint = same === undefined ? createEndpoint(spec, options, endpointDeps) : toldAnew(same, spec);
        if (endpoint === null) useless.add(refuse(key, spec));
        else kept.push(endpoint);
      }
      for (const left of known.values()) left.pool.close();
      refused = useless;
      current = Object.freeze(kept);
    },
    close() {
      for (const { pool } of current) pool.close();
    },
  };
}

function keyOf({ id, url }: Pick<EndpointSpec, "id" | "url">): string {
  return `${id} ${url}`;
}
