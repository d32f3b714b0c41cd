import type { Sample } from "../telemetry/family.ts";

/** Values of one service, each with its labels but the service's name, which comes before them. */
export type OwnSamples = readonly Sample[];

/**
 * What services tell of themselves, labelled by their names first. While one is in use with old options and new ones,
 * what the newer says: its endpoints are the same, and would count twice.
 */
export function newestSamples<Named extends { readonly name: string }>(
  services: readonly Named[],
  samplesOf: (service: Named) => OwnSamples,
): Iterable<Sample> {
  const found = new Map<string, Sample>();
  for (const service of services) {
    for (const { labels, value } of samplesOf(service)) {
      const all = [service.name, ...labels];
      found.set(all.join(" "), { labels: all, value });
    }
  }
  return found.values();
}

/** One value without labels of its own; null: none. */
export function oneSample(value: number | null): OwnSamples {
  return value === null ? [] : [{ labels: [], value }];
}
