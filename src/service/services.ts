import type { Registry } from "../registry/registry.ts";
import type { ServiceOptions } from "./options.ts";
import { createService, type Service, type ServiceDeps } from "./service.ts";

/** The services in use, which outlive the configurations that name them. */
export interface Services {
  /** The service of that name and those options: the one in use, or a new one. Every call needs one `release`. */
  obtain(name: string, options: ServiceOptions): Service;
  /** The one in use of that name and those options; null: there is none. */
  find(name: string, options: ServiceOptions): Service | null;
  /** Gives up one use; the service closes with the last. */
  release(service: Service): void;
  /** All that are in use. */
  list(): readonly Service[];
  close(): void;
}

export interface ServicesDeps extends Omit<ServiceDeps, "registry"> {
  /** The registry for a service; called once for each service that is made. */
  readonly registryFor: (options: ServiceOptions, name: string) => Registry;
}

interface Use {
  readonly service: Service;
  readonly key: string;
  count: number;
}

/** A directory of services, keyed by all that a service depends on. */
export function createServices(deps: ServicesDeps): Services {
  const uses = new Map<string, Use>();
  const keyOf = (name: string, options: ServiceOptions) => `${name} ${JSON.stringify(options)}`;
  const useOf = (service: Service) => [...uses.values()].find((use) => use.service === service);
  return {
    obtain(name, options) {
      const key = keyOf(name, options);
      const use = uses.get(key) ?? {
        service: createService(name, options, { ...deps, registry: deps.registryFor(options, name) }),
        key,
        count: 0,
      };
      use.count++;
      uses.set(key, use);
      return use.service;
    },
    find: (name, options) => uses.get(keyOf(name, options))?.service ?? null,
    release(service) {
      const use = useOf(service);
      if (use === undefined || --use.count > 0) return;
      uses.delete(use.key);
      service.close();
    },
    list: () => [...uses.values()].map((use) => use.service),
    close() {
      for (const { service } of uses.values()) service.close();
      uses.clear();
    },
  };
}
