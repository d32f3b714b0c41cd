import type { EndpointSpec } from "../registry/registry.ts";

export type BalancerPolicy = "least_request" | "round_robin";

export interface ServiceTimeouts {
  readonly connectMs: number;
  /** From the request's last byte to the response's head; 0 for none. */
  readonly responseMs: number;
  /** Silence on a body, a tunnel or a pooled connection. */
  readonly idleMs: number;
}

/** All that a service depends on: two services with equal options are the same service. */
export interface ServiceOptions {
  readonly discover: "static" | "memory";
  /** Given when `discover` is static. */
  readonly endpoints: readonly EndpointSpec[];
  readonly balancer: BalancerPolicy;
  /** Connections per endpoint; 0 for no bound. */
  readonly maxConnections: number;
  readonly timeouts: ServiceTimeouts;
}

/** What a route says about forwarding. */
export interface ForwardPolicy {
  /** From the request's last byte to the response's head, all attempts together; 0 for none. */
  readonly timeoutMs: number;
  /** The same for each attempt; null leaves it to the service. */
  readonly attemptTimeoutMs: number | null;
}
