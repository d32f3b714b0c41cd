import { createFeed } from "./feed.ts";
import type { EndpointSpec, Registry } from "./registry.ts";

/** Sets that never change. A service that is not among them has no endpoint. */
export function createStaticRegistry(services: Readonly<Record<string, readonly EndpointSpec[]>>): Registry {
  const feeds = new Map(
    Object.entries(services).map(([name, endpoints]) => [name, createFeed(Object.freeze([...endpoints]))]),
  );
  const none = createFeed<readonly EndpointSpec[]>(Object.freeze([]));
  return {
    watch: (service, signal) => (feeds.get(service) ?? none).follow(signal),
  };
}
