import type { HedgePolicy, RetryPolicy } from "../../src/service/options.ts";
import { eventually } from "../support/load.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { retrying, type Setup } from "./retry-support.ts";
import { breakerOptions, outlierOptions, type Sending, startForward } from "./support.ts";

export const AFTER_MS = 100;

/** Whoever fails once is out. */
export const GUARDS = {
  outliers: outlierOptions(),
  breaker: breakerOptions({ maxRequests: 9, maxPending: 9, failureRate: 0.1, minRequests: 1 }),
};

export function hedging(hedge: Partial<HedgePolicy> = {}, policy: Partial<RetryPolicy> = {}) {
  return retrying({ attempts: 1, ...policy, hedge: { afterMs: AFTER_MS, share: 0, max: 1, ...hedge } });
}

/** A request on its way, with what was decided about it, as texts. */
export function send({ service }: Setup, sending: Sending = {}) {
  const { exchange, forwarded } = startForward(service, { policy: hedging(), ...sending });
  return {
    exchange,
    forwarded,
    decisions: () => exchange.decisions?.map(({ policy, outcome, about }) => `${policy} ${outcome} ${about}`) ?? [],
  };
}

/** Takes requests and says nothing, until `say` is called with the number of a connection. */
export function startSilent() {
  const upstream = startUpstream(async (connection) => {
    for (;;) await connection.request(600_000);
  });
  const say = async (text: string, index = 0) => (await upstream.connection(index)).send(text);
  return Object.assign(upstream, { say });
}

/** Time passes: the wait of this number is over. */
export async function pass({ pauses }: Setup, index = 0): Promise<void> {
  await eventually(() => pauses.length > index, "a wait");
  const pause = pauses[index];
  if (pause?.isOff === false) pause.end();
}

export async function gone(upstream: Upstream, index = 0): Promise<void> {
  const { peer } = await upstream.connection(index);
  await peer.until(() => peer.isGone, "the connection to be closed");
}

export const inFlight = ({ service }: Setup) => service.endpoints.map(({ pool }) => pool.inFlight);
