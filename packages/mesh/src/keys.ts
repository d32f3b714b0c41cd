/** Where the names of all services stand, without the prefix. */
export const SERVICES_KEY = "mesh:services";

/** Where the name of a service is published after every change of it, without the prefix. */
export const CHANGES_CHANNEL = "mesh:changes";

/** The keys of one service, without the prefix: leases, then endpoints. The braces keep both in one part of a Cluster. */
export function serviceKeys(service: string): readonly [leases: string, endpoints: string] {
  return [`mesh:{${service}}:leases`, `mesh:{${service}}:endpoints`];
}
