import { SERVICES_KEY } from "../../packages/mesh/src/keys.ts";
import type { MeshLink, MeshScript } from "./mesh-link.ts";
import { type MeshRecord, readService } from "./mesh-read.ts";

/** What stands in Redis, for people. Its functions reject as the link does. */
export interface MeshList {
  /** Names of services, sorted; some may have no endpoint any more. */
  services(): Promise<readonly string[]>;
  /** The endpoints of a service whose leases run, by id. */
  endpoints(service: string): Promise<readonly MeshRecord[]>;
}

const NAMES: MeshScript = { name: "mesh-names", lua: "return redis.call('SMEMBERS', KEYS[1])" };

function textsOf(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map(String).toSorted() : [];
}

/** Lists what stands there; whoever lends the link closes it. */
export function createMeshList(link: MeshLink): MeshList {
  return {
    services: async () => textsOf(await link.run(NAMES, { keys: [SERVICES_KEY], args: [] })),
    endpoints: async (service) =>
      (await readService(link, service, "")).live.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
