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

/** Where endpoints come from. */
export interface Registry {
  /** Each value is the whole current set, never a delta; the first comes at once. Ends when the signal aborts. */
  watch(service: string, signal: AbortSignal): AsyncIterable<readonly EndpointSpec[]>;
}
