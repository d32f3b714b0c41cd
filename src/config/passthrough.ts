import { GatewayError } from "../errors.ts";
import type { Destination } from "../service/service.ts";
import type { Split } from "../traffic/split.ts";
import type { Passage, PassageObserver } from "../wire/l4/passage.ts";
import { passesBytes } from "./byte-route.ts";
import type { SnapshotUse } from "./snapshot-use.ts";
import type { ListenerConfig, RouteConfig } from "./types.ts";

export interface PassthroughParts {
  readonly name: string;
  /** In the order of the split; null when nobody defines the service. */
  readonly services: readonly (Destination | null)[];
  readonly split: Split;
  readonly use: SnapshotUse;
}

/** A route as passages meet it: it chooses a service, and holds the configuration until they are over. */
export class CompiledPassthrough implements PassageObserver {
  readonly name: string;
  readonly #parts: PassthroughParts;

  constructor(parts: PassthroughParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** Serves a passage from here to its end. Never throws. */
  serve(passage: Passage): void {
    const { services, split, use } = this.#parts;
    passage.route = this.name;
    passage.observer = this;
    use.begin();
    const chosen = split.pick();
    const service = chosen === null ? null : services[chosen];
    if (service) service.connect(passage);
    else passage.refuse(new GatewayError("backend_invalid", "The route has no valid backend."));
  }

  passageDone(): void {
    this.#parts.use.end();
  }
}

/** Finds the route of a passage: by its listener's name, and the name that its ClientHello asks for. */
export type PassthroughIndex<Target = CompiledPassthrough> = (listener: string, sni: string | null) => Target | null;

/** The routes of one listener by hostname: exact ones, and wildcards by what stands behind their `*.`. */
interface Names<Target> {
  readonly exact: Map<string, Target>;
  readonly wildcard: Map<string, Target>;
  any: Target | null;
}

/** An exact name wins over wildcards, of which the longest wins, and these over routes for every name; then file order. */
export function passthroughIndex<Target>(
  listeners: readonly ListenerConfig[],
  routes: readonly (readonly [RouteConfig, Target])[],
): PassthroughIndex<Target> {
  const byListener = new Map(
    listeners
      .filter(({ protocol }) => passesBytes(protocol))
      .map((listener) => [listener.name, namesOf(listener, routes)]),
  );
  return (listener, sni) => {
    const names = byListener.get(listener);
    return names === undefined ? null : find(names, sni);
  };
}

function namesOf<Target>(
  { name, protocol }: ListenerConfig,
  routes: readonly (readonly [RouteConfig, Target])[],
): Names<Target> {
  const names: Names<Target> = { exact: new Map(), wildcard: new Map(), any: null };
  for (const [{ hostnames, listeners }, target] of routes) {
    if (listeners !== null && !listeners.includes(name)) continue;
    // Nothing says which name a plain connection is for.
    if (hostnames.length === 0 || protocol === "tcp") names.any ??= target;
    else for (const hostname of hostnames) add(names, hostname, target);
  }
  return names;
}

function add<Target>(names: Names<Target>, hostname: string, target: Target): void {
  if (hostname === "*") {
    names.any ??= target;
    return;
  }
  const isWildcard = hostname.startsWith("*.");
  const [map, key] = isWildcard ? [names.wildcard, hostname.slice(2)] : [names.exact, hostname];
  if (!map.has(key)) map.set(key, target);
}

function find<Target>({ exact, wildcard, any }: Names<Target>, sni: string | null): Target | null {
  if (sni === null) return any;
  const own = exact.get(sni);
  if (own !== undefined) return own;
  // A wildcard stands for one label or more.
  for (let dot = sni.indexOf("."); dot >= 0; dot = sni.indexOf(".", dot + 1)) {
    const found = wildcard.get(sni.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return any;
}
