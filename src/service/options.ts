import type { DnsSource } from "../registry/dns-source.ts";
import type { EndpointSpec } from "../registry/registry.ts";
import type { RedisTarget } from "../store/redis-target.ts";
import type { ConcurrencyOptions, Priority } from "./concurrency-options.ts";
import type { GrpcCondition } from "./grpc-status.ts";
import type { HealthCheckOptions } from "./health-options.ts";

export type BalancerPolicy = "least_request" | "round_robin" | "random" | "peak_ewma" | "consistent_hash";

/** What `consistent_hash` makes a request's key from. */
export interface HashBy {
  readonly source: "ip" | "host" | "header" | "cookie" | "query" | "jwt";
  /** Of the header (lower case), the cookie, the parameter or the claim; "" for the others. */
  readonly name: string;
}

/** Which endpoints of a service a backend uses: those that have this version, unless it is null, and all these tags. */
export interface SubsetSelector {
  readonly version: string | null;
  readonly tags: readonly string[];
}

/** An endpoint that reports so much of its own load, 0 to 1, or more gets no new requests; null: that is not looked at. */
export interface MaxLoad {
  readonly cpu: number | null;
  readonly memory: number | null;
}

export interface ServiceTimeouts {
  readonly connectMs: number;
  /** From the request's last byte to the response's head; 0 for none. */
  readonly responseMs: number;
  /** Silence on a body, a tunnel or a pooled connection. */
  readonly idleMs: number;
}

/** What is spoken to endpoints. `h2` is TLS with ALPN, `h2c` prior knowledge in the clear. */
export type UpstreamProtocol = "http1" | "h2" | "h2c";

/** How endpoints with an `https` URL are verified, and how the gateway shows itself to them. PEM texts. */
export interface UpstreamTls {
  /** Null: the system's authorities. */
  readonly caPem: string | null;
  /** Name asked for and verified; null: the endpoint's host. */
  readonly serverName: string | null;
  readonly certPem: string | null;
  readonly keyPem: string | null;
}

/** How far behind the others an endpoint's rate of success may be. */
export interface SuccessRateOptions {
  /** So many must have had `minRequests`, or nobody is compared. */
  readonly minEndpoints: number;
  /** Since the last look. */
  readonly minRequests: number;
  /** Standard deviations below the mean. */
  readonly deviations: number;
}

/** When endpoints that fail are taken out, and for how long. */
export interface OutlierOptions {
  readonly consecutiveFailures: number;
  /** From one look at all endpoints to the next. */
  readonly intervalMs: number;
  /** Times the number of ejections. */
  readonly ejectForMs: number;
  /** 0 to 1, of the endpoints with a weight; a part of an endpoint is none. */
  readonly maxEjectedShare: number;
  /** Null: endpoints are not compared. */
  readonly successRate: SuccessRateOptions | null;
}

/** When a whole service gets no requests. Rates are 0 to 1. */
export interface BreakerOptions {
  /** Requests that are not answered whole. */
  readonly maxRequests: number;
  /** Those of them that wait for a connection. */
  readonly maxPending: number;
  readonly failureRate: number;
  /** Fewer attempts within the window decide nothing. */
  readonly minRequests: number;
  readonly openForMs: number;
  /** Null: slowness is no fault. */
  readonly slowCallRate: number | null;
  /** From here on a response's head is slow. */
  readonly slowCallMs: number;
}

/** All that a service depends on: two services with equal options are the same service. */
export interface ServiceOptions {
  readonly discover: "static" | "memory" | "redis" | "dns";
  /** Given when `discover` is redis: where its endpoints stand. */
  readonly redis?: RedisTarget;
  /** Given when `discover` is dns: what is asked for. */
  readonly dns?: DnsSource;
  /** Given when `discover` is static. */
  readonly endpoints: readonly EndpointSpec[];
  readonly balancer: BalancerPolicy;
  /** Given when `balancer` is `consistent_hash`, and only then. */
  readonly hashBy: HashBy | null;
  /** How long the share of an endpoint that joined rises; 0: it has its whole weight at once. */
  readonly slowStartMs: number;
  /** With fewer available endpoints than this share of all, 0 to 100, all are used; 0: never. */
  readonly panicPercent: number;
  /** The gateway's own, whose endpoints are preferred; null: zones count for nothing. */
  readonly zone: string | null;
  /** Null: what endpoints report of their load counts for nothing. */
  readonly maxLoad: MaxLoad | null;
  /** Null: endpoints are not asked whether they can serve. */
  readonly health: HealthCheckOptions | null;
  /** Connections per endpoint; 0 for no bound. */
  readonly maxConnections: number;
  readonly timeouts: ServiceTimeouts;
  readonly protocol: UpstreamProtocol;
  /** Null: the defaults, for endpoints with an `https` URL. */
  readonly tls: UpstreamTls | null;
  /** Version of the PROXY protocol header that begins each connection to an endpoint of a `tcp` route; null: none. */
  readonly proxyProtocol: "v1" | "v2" | null;
  /** Null: endpoints are not judged. */
  readonly outliers: OutlierOptions | null;
  /** Null: none. */
  readonly breaker: BreakerOptions | null;
  /** Null: requests are sent however many there are. */
  readonly concurrency: ConcurrencyOptions | null;
}

/** What an attempt is made again for: a word, or a status that the endpoint, or Torii in its place, answers with. */
export type RetryCondition = "connect_failure" | "reset" | "timeout" | GrpcCondition | number;

/** When a request is sent to another endpoint beside one that does not answer. */
export interface HedgePolicy {
  /**
   * Without a response's head for so long after the latest attempt began, or the request's last byte; null: for as long
   * as this share of the service's responses lately took at the most.
   */
  readonly afterMs: number | null;
  /** Above 0 and below 1; 0 where `afterMs` is given. */
  readonly share: number;
  /** Of one request; they count among its attempts. */
  readonly max: number;
}

/** When and how often a route's requests are sent again. */
export interface RetryPolicy {
  /** After the first try. */
  readonly attempts: number;
  readonly on: readonly RetryCondition[];
  /** The longest pause before the first retry; it doubles, and chance decides how much of it is waited. 0: none. */
  readonly backoffMs: number;
  /** Waited before each retry beside that. */
  readonly leastPauseMs: number;
  /** Share of the service's requests, 0 to 1, that retries may be. */
  readonly budgetShare: number;
  /** True where requests of any method may be acted on twice. */
  readonly nonIdempotent: boolean;
  /** Null: an attempt that is slow is waited for. */
  readonly hedge: HedgePolicy | null;
}

/** What a route says about forwarding. */
export interface ForwardPolicy {
  /** From the request's last byte to the response's head, all attempts together; 0 for none. */
  readonly timeoutMs: number;
  /** The same for each attempt; null leaves it to the service. */
  readonly attemptTimeoutMs: number | null;
  /** Whose turn it is where requests wait. */
  readonly priority: Priority;
  /** Null: nothing is sent again but what a kept connection was closed under. */
  readonly retry: RetryPolicy | null;
}
