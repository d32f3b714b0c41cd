import type { ConnectionSocket } from "../handover.ts";
import type { HandshakeResult } from "../listener-context.ts";
import type { ClientHello } from "./client-hello.ts";
import { readCertificate } from "./peer-certificate.ts";
import type { TlsPolicy } from "./policy.ts";
import type { ClientCertificate, TlsInfo } from "./tls-info.ts";

/** What the runtime tells of a handshake's end. */
export interface HandshakeEnd {
  readonly socket: ConnectionSocket;
  readonly policy: TlsPolicy;
  readonly hello: ClientHello;
  /** True proves nothing: it is so with a bad certificate as well. */
  readonly isDone: boolean;
  readonly error: Error | null;
}

export interface HandshakeOutcome {
  readonly result: HandshakeResult;
  /** Null when the connection must not be used. */
  readonly info: TlsInfo | null;
}

/** Judges a handshake: what is known of it, or why it failed. */
export function judgeHandshake(end: HandshakeEnd): HandshakeOutcome {
  const broken = brokenBy(end);
  if (broken !== null) return { result: broken, info: null };
  const { socket, policy, hello } = end;
  const certificate = policy.clientAuth === null ? null : clientCertificate(end);
  if (policy.clientAuth === "require" && certificate?.isVerified !== true) return { result: "certificate", info: null };
  const version = socket.getTLSVersion();
  if (version !== "TLSv1.2" && version !== "TLSv1.3") return { result: "protocol", info: null };
  // The runtime says `false` for none, whatever its types say.
  const alpn = typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : null;
  return {
    result: socket.isSessionReused() ? "resumed" : "full",
    info: Object.freeze({ version, sni: hello.sni, alpn, certificate }),
  };
}

const NO_CERTIFICATE = /did.not.return.a.certificate/i;

/** Errors of the handshake itself; those of a certificate's verification have other codes. */
function brokenBy({ isDone, error, policy }: HandshakeEnd): HandshakeResult | null {
  const code = error !== null && "code" in error ? error.code : null;
  if (code === "ECONNRESET") return "reset";
  if (code !== "EPROTO" && isDone) return null;
  const isMissing = policy.clientAuth === "require" && error !== null && NO_CERTIFICATE.test(error.message);
  return isMissing ? "certificate" : "protocol";
}

function clientCertificate({ socket, error }: HandshakeEnd): ClientCertificate | null {
  // The types promise one; the runtime has none where the client gave none.
  const given: { readonly raw: Buffer } | undefined = socket.getPeerX509Certificate();
  const facts = given === undefined ? null : readFacts(given.raw);
  if (facts === null) return null;
  // A session may be resumed when the certificate that began it is out of date.
  const isVerified = error === null && socket.authorized && facts.notAfterAt > Date.now();
  return Object.freeze({ isVerified, ...facts });
}

/** What cannot be read is no certificate. */
function readFacts(der: Buffer): ReturnType<typeof readCertificate> | null {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
