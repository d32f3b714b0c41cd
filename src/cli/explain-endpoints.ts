import type { Config } from "../config/types.ts";

/** What stands for endpoints that only a running gateway knows. */
export const REGISTERED = "endpoints register themselves (discover: memory); a running gateway knows them";

/** Addresses that the files name; null where only a running gateway knows. */
export function endpointsOf(name: string, config: Config): readonly string[] | null {
  const options = config.services.find((service) => service.name === name)?.options;
  return options?.discover === "static" ? options.endpoints.map(({ url }) => url) : null;
}
