import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, getCACertificates, rootCertificates } from "node:tls";
import type { Socket } from "bun";
import { GatewayError } from "../../errors.ts";

export interface DialTlsFacts {
  /** Authorities (PEM), the only ones that are trusted; null: the system's, or the runtime's where it has none. */
  readonly caPem: string | null;
  /** Name asked for (SNI) and verified; null: the host that is dialled. */
  readonly serverName: string | null;
  /** Client certificate, leaf first, and its key; both or none. */
  readonly certPem: string | null;
  readonly keyPem: string | null;
  /** Application protocols on offer, the preferred first; may be empty. */
  readonly alpn: readonly string[];
  /** A peer that chooses none of the protocols on offer is refused. */
  readonly requiresAlpn: boolean;
}

/** What is trusted, shown and asked for when connections are opened over TLS. Made once, for many dials. */
export interface DialTls {
  readonly serverName: string | null;
  /** The runtime's own object: authorities, certificate and key. */
  readonly secureContext: object;
  /** As it stands in the handshake: each name behind its length. */
  readonly ALPNProtocols: Buffer;
  readonly requiresAlpn: boolean;
}

/** Throws the runtime's error when a PEM cannot be read or the key belongs to another certificate. */
export function createDialTls(facts: DialTlsFacts): DialTls {
  const { context } = createSecureContext({
    ca: facts.caPem ?? systemAuthorities(),
    ...(facts.certPem === null ? {} : { cert: facts.certPem }),
    ...(facts.keyPem === null ? {} : { key: facts.keyPem }),
  });
  return {
    serverName: facts.serverName,
    secureContext: context,
    ALPNProtocols: Buffer.concat(facts.alpn.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`))),
    requiresAlpn: facts.requiresAlpn,
  };
}

function systemAuthorities(): string[] {
  const found = getCACertificates("system");
  return found.length > 0 ? found : [...rootCertificates];
}

/** The runtime's options to dial that host. */
export function tlsOptions(tls: DialTls, hostname: string) {
  const { secureContext, ALPNProtocols } = tls;
  return {
    secureContext,
    // Addresses are not asked for by name (RFC 6066 3). With "" the runtime sends no name and verifies the host's.
    serverName: tls.serverName ?? (isIP(hostname) === 0 ? hostname : ""),
    // Said, because a variable of the environment could otherwise turn it off.
    rejectUnauthorized: true,
    ...(ALPNProtocols.length === 0 ? {} : { ALPNProtocols }),
  };
}

/** What the runtime tells of a handshake's end. */
export interface Handshake {
  readonly socket: Socket<unknown>;
  readonly isAccepted: boolean;
  readonly error: Error | null;
  /** Host that was dialled. */
  readonly hostname: string;
}

/** Why a connection must not be used after its handshake, or null. `isAccepted` alone proves nothing. */
export function handshakeError(tls: DialTls, handshake: Handshake): GatewayError | null {
  const { socket, isAccepted, error, hostname } = handshake;
  if (error !== null && isBroken(error)) return handshakeFailed(error);
  if (error !== null || !isAccepted || !socket.authorized) {
    return failure(NOT_ACCEPTED, error ?? socket.getAuthorizationError());
  }
  if (!isNamed(socket, tls.serverName ?? hostname)) {
    const detail = "The certificate names the host as no subjectAltName";
    return failure(NOT_ACCEPTED, Object.assign(new Error(detail), { code: "ERR_TLS_CERT_ALTNAME_INVALID" }));
  }
  const hasChosen = typeof socket.alpnProtocol === "string";
  return tls.requiresAlpn && !hasChosen
    ? failure("The upstream does not offer the protocol of the service.", null)
    : null;
}

const NOT_ACCEPTED = "The upstream's certificate was not accepted.";

/**
 * The runtime takes the common name where a certificate names no host otherwise: that of a workload's identity, which
 * holds a URI only, may say anything (RFC 9525 2).
 */
function isNamed(socket: Socket<unknown>, name: string): boolean {
  if (isIP(name) !== 0) return true;
  // The types promise one; the runtime has none where the peer gave none.
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate();
  return certificate?.checkHost(name.replace(/\.$/, ""), { subject: "never" }) !== undefined;
}

/** The handshake itself went wrong, where other errors are those of the certificate's verification. */
function isBroken(error: Error): boolean {
  const code = "code" in error ? error.code : null;
  return code === "EPROTO" || code === "ECONNRESET";
}

/** The peer broke off within the handshake, or spoke no TLS. */
export function handshakeFailed(cause: unknown): GatewayError {
  return failure("The TLS handshake with the upstream failed.", cause);
}

function failure(detail: string, cause: unknown): GatewayError {
  return new GatewayError("upstream_connect", detail, { cause: cause ?? undefined, sent: "nothing" });
}
