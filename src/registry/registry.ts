/** What an endpoint says of its own load. Shares of what it has are 0 to 1. */
export interface EndpointLoad {
  readonly cpu?: number;
  readonly memory?: number;
  /** Requests that it works on. */
  readonly inFlight?: number;
}

/** One address of a service, as a registry tells it. */
export interface EndpointSpec {
  /** Unique within its service. */
  readonly id: string;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** Share of traffic against the others; 0 takes none. */
  readonly weight: number;
  readonly zone?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  readonly load?: EndpointLoad;
}

/** Says whether an endpoint still answers the checks of whoever watches: false from when they have failed. */
export type EndpointJudge = (endpoint: EndpointSpec) => boolean;

/** Where endpoints come from. */
export interface Registry {
  /**
   * Each value is the whole current set, never a delta; the first comes at once. Ends when the signal aborts. A
   * registry that doubts whether endpoints are gone may ask the judge of those who make checks.
   */
  watch(service: string, signal: AbortSignal, judge?: EndpointJudge | null): AsyncIterable<readonly EndpointSpec[]>;
  /** True while what it told of a service comes from the last good copy. Not there: it has no copies. */
  readonly isRecalled?: (service: string) => boolean;
}
