import { GatewayError, reasonText } from "../errors.ts";
import { now } from "../wire/event.ts";

/** The same is said again only after so long. */
const AGAIN_MS = 60_000;
const REMEMBERED_LIMIT = 1024;

export interface RefusalsDeps {
  readonly service: string;
  readonly onWarning: (message: string, facts: Readonly<Record<string, string>>) => void;
  /** Milliseconds of any steady clock. */
  readonly now?: () => number;
}

/**
 * Tells why endpoints cannot be connected to: clients are told no more than that. Each endpoint's reason is told once,
 * and again when it is another or a minute has passed.
 */
export function createRefusals({ service, onWarning, now: clock = now }: RefusalsDeps) {
  const told = new Map<string, { readonly reason: string; readonly at: number }>();
  return (endpoint: string, error: GatewayError): void => {
    if (error.code !== "upstream_connect") return;
    const reason = reasonText(error);
    const last = told.get(endpoint);
    const at = clock();
    if (last !== undefined && last.reason === reason && at - last.at < AGAIN_MS) return;
    if (told.size >= REMEMBERED_LIMIT) told.clear();
    told.set(endpoint, { reason, at });
    onWarning("endpoint cannot be connected to", { service, endpoint, reason });
  };
}

/** The refusal of a request that no endpoint is there for; `subset` in words, "" for the whole service. */
export function noEndpoint(subset = ""): GatewayError {
  const message = subset === "" ? "The service has no endpoint." : `The service has no endpoint of ${subset}.`;
  return new GatewayError("no_endpoint", message, { retryAfter: 1 });
}
