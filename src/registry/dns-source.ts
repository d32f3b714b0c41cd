/** What is asked of DNS for a service. */
export interface DnsSource {
  /** The full name, without search domains: of the hosts, or of the SRV records. */
  readonly name: string;
  /** The endpoints' port; null: SRV records name hosts, ports and weights. */
  readonly port: number | null;
  /** `address:port` of the server that is asked; null: those of the system. */
  readonly resolver: string | null;
  readonly scheme: "http" | "https";
}

/** `servfail`, `timeout`, `not_found` … : why there is no answer to lean on. */
export type DnsFailure = string;

/** What DNS said: `none` is a name that does not exist or has no such records. */
export type DnsAnswer<T> =
  | { readonly state: "found"; readonly records: readonly T[] }
  | { readonly state: "none" }
  | { readonly state: "failed"; readonly reason: DnsFailure };
