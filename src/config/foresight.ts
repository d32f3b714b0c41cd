import { belongs, subsetName } from "../service/subset.ts";
import { below, placeOf } from "./check.ts";
import type { Entry } from "./entries.ts";
import { nearest } from "./near.ts";
import type { TlsReading } from "./tls-config.ts";
import type { BackendConfig, RouteConfig, ServiceConfig } from "./types.ts";
import { quote } from "./wording.ts";

type Reading = Pick<TlsReading, "vetting" | "stored" | "zone">;
type ServiceEntry = Extract<Entry, { readonly kind: "service" }>;

/** Whoever writes `discover: memory` means it: the process itself registers them, as the demo does. */
function checkDiscovered({ data, spot }: ServiceEntry, { vetting, stored }: Reading): void {
  const isWritten = data.discover !== undefined || data.endpoints !== undefined || data.dns !== undefined;
  if (isWritten || stored.redis !== null) return;
  const message =
    "has no endpoints, and without redis in torii.yaml nobody can register any: all requests get 503; " +
    "write endpoints or dns, or set redis";
  vetting.warnings.push({ ...placeOf(spot), message });
}

function checkWeights({ data, spot }: ServiceEntry, { vetting }: Reading): void {
  const { endpoints } = data;
  if (endpoints === undefined || endpoints.some(({ weight }) => weight > 0)) return;
  const why = endpoints.length === 0 ? "are none" : "all have weight 0";
  const message = `${why}, so that all requests get 503; write one with a weight above 0`;
  vetting.warnings.push({ ...placeOf(below(spot, "endpoints")), message });
}

function checkZone({ data, spot }: ServiceEntry, { vetting, zone }: Reading): void {
  if (data.loadBalancing.zone !== "prefer" || zone !== null) return;
  const message = "prefers no zone, as torii.yaml does not say where the gateway stands; set zone there";
  vetting.warnings.push({ ...placeOf(below(spot, "loadBalancing", "zone")), message });
}

/** Why a backend's subset gets no request, where that is certain; null: it may. */
function subsetFault({ subset }: BackendConfig, { name, options }: ServiceConfig): string | null {
  if (subset === null || options.discover !== "static") return null;
  const [weighty, weightless] = [true, false].map((has) =>
    options.endpoints.filter(({ weight }) => weight > 0 === has),
  );
  // That all are without has a warning of its own.
  if (weighty === undefined || weighty.length === 0 || weighty.some((one) => belongs(one, subset))) return null;
  const isThere = weightless?.some((one) => belongs(one, subset)) === true;
  const fits = isThere ? "fits only endpoints of weight 0" : "fits no endpoint";
  return `asks for ${subsetName(subset)}, which ${fits} of service ${quote(name)}: its share of the requests gets 503; correct the subset, or the endpoints`;
}

function backendFault(backend: BackendConfig, services: ReadonlyMap<string, ServiceConfig>): string | null {
  if (backend.weight === 0) return null;
  if (!backend.isValid) {
    const near = nearest(backend.service, [...services.keys()]);
    const help = near === undefined ? "define it under services" : `did you mean ${quote(near)}?`;
    return `${quote(backend.service)} is a service that nobody defines: its share gets 500; ${help}`;
  }
  const service = services.get(backend.service);
  return service === undefined ? null : subsetFault(backend, service);
}

/** Adds a warning for each part that is valid and can only fail, or does nothing. */
export function checkForesight(
  entries: readonly Entry[],
  parts: { readonly services: readonly ServiceConfig[]; readonly routes: readonly RouteConfig[] },
  reading: Reading,
): void {
  for (const entry of entries) {
    if (entry.kind !== "service") continue;
    checkDiscovered(entry, reading);
    checkWeights(entry, reading);
    checkZone(entry, reading);
  }
  const services = new Map(parts.services.map((service) => [service.name, service]));
  for (const backend of parts.routes.flatMap(({ backends }) => backends)) {
    const message = backendFault(backend, services);
    if (message !== null) reading.vetting.warnings.push({ ...backend.source, message });
  }
}
