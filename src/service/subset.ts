import { type Availability, usable } from "./availability.ts";
import type { Chooser } from "./balancer.ts";
import { type BalancerDeps, createBalancer } from "./balancer-policies.ts";
import { capacities, preferZone, type Standing } from "./balancer-zone.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ServiceOptions, SubsetSelector } from "./options.ts";
import { suffices } from "./zone-share.ts";

/** Endpoints of a service that belong together, all of them or those of a version or with tags, and who chooses among them. */
export interface Subset {
  /** In words, such as `version 2, tag canary`; "" for all endpoints. */
  readonly name: string;
  readonly balancer: Chooser<Endpoint>;
  /** Those that get requests. */
  readonly used: readonly Endpoint[];
  /** True while too few are available, so that all of the subset are used. */
  readonly isPanic: boolean;
  /** The part of the requests that stays in the gateway's zone, 0 to 1; null where zones count for nothing. */
  readonly zoneShare: number | null;
  /** Takes the registry's set, of which it keeps its own. */
  update(endpoints: readonly Endpoint[]): void;
  /** Chooses anew who is used: someone came to be available or ceased to be. */
  refresh(): void;
}

export interface SubsetDeps extends BalancerDeps {
  /** Null: all endpoints. */
  readonly selector: SubsetSelector | null;
  readonly options: Pick<ServiceOptions, "balancer" | "zone" | "panicPercent">;
  readonly availability: Availability;
  readonly onPanic: (subset: string, isPanic: boolean) => void;
}

/** No endpoints yet: `update` gives it some. */
export function createSubset(deps: SubsetDeps): Subset {
  const { selector, options, availability, onPanic } = deps;
  const name = selector === null ? "" : subsetName(selector);
  const { zoned, balancer, update } = balancerOf(deps);
  let all: readonly Endpoint[] = [];
  let used = all;
  let isPanic = false;
  const refresh = () => {
    const was = isPanic;
    ({ endpoints: used, isPanic } = chosen(all, availability, options));
    update({ all, used, isPanic });
    if (isPanic !== was) onPanic(name, isPanic);
  };
  return {
    name,
    balancer,
    get used() {
      return used;
    },
    get isPanic() {
      return isPanic;
    },
    get zoneShare() {
      return zoned?.share ?? null;
    },
    update(endpoints) {
      all = selector === null ? endpoints : endpoints.filter((endpoint) => belongs(endpoint, selector));
      refresh();
    },
    refresh,
  };
}

/** What a subset is called, in words. */
export function subsetName({ version, tags }: SubsetSelector): string {
  const parts = tags.map((tag) => `tag ${tag}`);
  return (version === null ? parts : [`version ${version}`, ...parts]).join(", ");
}

/** Whether an endpoint has all that a subset asks for. */
export function belongs(
  endpoint: { readonly version?: string | null; readonly tags?: readonly string[] },
  { version, tags }: SubsetSelector,
): boolean {
  return (
    (version === null || endpoint.version === version) && tags.every((tag) => endpoint.tags?.includes(tag) === true)
  );
}

function balancerOf({ options, random, nowMs, slowStartMs }: SubsetDeps) {
  const deps = { random, nowMs, slowStartMs };
  if (options.zone !== null) {
    const zoned = preferZone<Endpoint>(options.zone, options.balancer, deps);
    return { zoned, balancer: zoned, update: zoned.update };
  }
  const balancer = createBalancer<Endpoint>(options.balancer, deps);
  return { zoned: null, balancer, update: ({ used }: Standing<Endpoint>) => balancer.update(used) };
}

/** With a zone that others can stand in for there is no panic: those that are left are enough. */
function chosen(all: readonly Endpoint[], availability: Availability, { zone, panicPercent }: SubsetDeps["options"]) {
  const choice = usable(all, availability, panicPercent);
  if (zone === null || !choice.isPanic) return choice;
  const available = usable(all, availability, 0);
  return suffices(...capacities(zone, { all, used: available.endpoints })) ? available : choice;
}
