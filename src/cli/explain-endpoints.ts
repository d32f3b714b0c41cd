import type { Config } from "../config/types.ts";
import type { ServiceOptions } from "../service/options.ts";

function optionsOf(name: string, config: Config): ServiceOptions | undefined {
  return config.services.find((service) => service.name === name)?.options;
}

/** Addresses that the files name; null where only a running gateway knows. */
export function endpointsOf(name: string, config: Config): readonly string[] | null {
  const options = optionsOf(name, config);
  return options?.discover === "static" ? options.endpoints.map(({ url }) => url) : null;
}

/** Where endpoints come from that only a running gateway knows. */
export function originOf(name: string, config: Config): string {
  const options = optionsOf(name, config);
  if (options?.dns !== undefined)
    return `endpoints are what DNS says of ${options.dns.name}; a running gateway knows them`;
  const place = options?.redis === undefined ? "" : " in Redis";
  return `endpoints register themselves${place} (discover: ${options?.discover ?? "memory"}); a running gateway knows them`;
}
