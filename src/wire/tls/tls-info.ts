/** What a client's certificate says, verified against the listener's CA unless `isVerified` is false. */
export interface ClientCertificate {
  /** False only where the listener asks for a certificate without insisting on a valid one. */
  readonly isVerified: boolean;
  /** Distinguished names as RFC 4514 writes them, such as `CN=shop,O=Example`. */
  readonly subject: string;
  readonly issuer: string;
  /** Upper-case hexadecimal. */
  readonly serialNumber: string;
  /** Subject alternative names by kind, in the certificate's order. */
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  /** The SPIFFE ID among `uris`, or null. */
  readonly spiffeId: string | null;
  /** SHA-256 of the DER form, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly notAfterAt: number;
}

/** What is known of a connection's TLS. */
export interface TlsInfo {
  readonly version: "TLSv1.2" | "TLSv1.3";
  /** Name that the client asked for, lower case; null when it named none. */
  readonly sni: string | null;
  /** Protocol that was agreed on, or null. */
  readonly alpn: string | null;
  /** Null when the client gave none. */
  readonly certificate: ClientCertificate | null;
}
