import type { BackendConfig, Config } from "../config/types.ts";
import type { ServiceOptions } from "../service/options.ts";
import { belongs, subsetName } from "../service/subset.ts";

function optionsOf(name: string, config: Config): ServiceOptions | undefined {
  return config.services.find((service) => service.name === name)?.options;
}

/** Addresses that the files name for a backend; null where only a running gateway knows. */
export function endpointsOf({ service, subset }: BackendConfig, config: Config): readonly string[] | null {
  const options = optionsOf(service, config);
  if (options?.discover !== "static") return null;
  return options.endpoints.filter((one) => subset === null || belongs(one, subset)).map(({ url }) => url);
}

/** A backend in words. */
export function backendText(
  {
    service,
    weight,
    subset,
    endpoints,
  }: Pick<BackendConfig, "service" | "weight" | "subset"> & {
    readonly endpoints: readonly string[] | null;
  },
  config: Config,
): string {
  const what = subset === null ? `weight ${weight}` : `weight ${weight}, ${subsetName(subset)}`;
  const where = endpoints?.join(", ") ?? originOf(service, config);
  return `backend  ${service} (${what}): ${where || "no endpoint: 503 no_endpoint"}`;
}

/** Where endpoints come from that only a running gateway knows. */
function originOf(name: string, config: Config): string {
  const options = optionsOf(name, config);
  // Only an HTTPRoute may name one that is not there.
  if (options === undefined) return "no service has this name: 500 backend_invalid";
  if (options.dns !== undefined)
    return `endpoints are what DNS says of ${options.dns.name}; a running gateway knows them`;
  const place = options.redis === undefined ? "in the gateway's own process" : "in Redis";
  return `endpoints register themselves ${place} (discover: ${options.discover}); a running gateway knows them`;
}
