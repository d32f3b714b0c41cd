import { passesBytes } from "../config/byte-route.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { hostMatches } from "../route/hostname.ts";
import { UsageError } from "./command.ts";

/** What of a URL says which listener it comes to. */
export interface Origin {
  /** Null: the URL has none. */
  readonly scheme: "http" | "https" | null;
  /** Lower case, without port; empty for none. */
  readonly host: string;
  /** Null: the URL has none. */
  readonly port: number | null;
}

/** 0 for a listener that does not serve the host, more the more exactly it names it. */
function exactness({ hostnames }: ListenerConfig, host: string): number {
  if (hostnames.length === 0) return 1;
  const lengths = hostnames
    .filter((hostname) => hostMatches(hostname, host))
    .map((hostname) => (hostname.startsWith("*") ? 1 + hostname.length : 1000));
  return Math.max(0, ...lengths);
}

function speaks({ protocol }: ListenerConfig, scheme: Origin["scheme"]): boolean {
  if (scheme === null || protocol === "tcp") return true;
  return scheme === "http" ? protocol === "http" : protocol !== "http";
}

/** Those that the URL's port names, or else those that speak its scheme, or else all that speak HTTP; never empty unless there is none. */
function candidates(listeners: readonly ListenerConfig[], { scheme, port }: Origin): readonly ListenerConfig[] {
  const atPort = listeners.filter((listener) => listener.port === port && speaks(listener, scheme));
  if (atPort.length > 0) return atPort;
  const ofHttp = listeners.filter(({ protocol }) => !passesBytes(protocol));
  const ofScheme = ofHttp.filter(({ protocol }) => protocol === scheme);
  return [ofScheme, ofHttp, listeners].find((some) => some.length > 0) ?? [];
}

function listenerFor(listeners: readonly ListenerConfig[], origin: Origin): ListenerConfig | undefined {
  const [first, ...others] = candidates(listeners, origin);
  if (first === undefined) return undefined;
  // Only on one port the host chooses.
  const sharing = [first, ...others.filter(({ address, port }) => address === first.address && port === first.port)];
  const best = Math.max(...sharing.map((listener) => exactness(listener, origin.host)));
  return sharing.find((listener) => exactness(listener, origin.host) === best);
}

/**
 * The listener of this name; without one (undefined) the first that has the origin's port, or else speaks its scheme;
 * of several on that port the one that names the host most exactly. Throws a UsageError when there is none.
 */
export function listenerOf({ listeners }: Config, name: string | undefined, origin: Origin): ListenerConfig {
  const found = name === undefined ? listenerFor(listeners, origin) : listeners.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = listeners.map((listener) => listener.name).join(", ");
  throw new UsageError(`there is no listener ${JSON.stringify(name ?? "")}; there is ${names || "none"}`);
}
