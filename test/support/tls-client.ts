import type { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Socket } from "bun";
import { authority, type TestCertificate } from "./certificates.ts";
import { type Address, RawClient } from "./client.ts";
import { Peer, PeerError, peerHandlers } from "./peer.ts";

export interface TlsClientOptions {
  /** Name asked for and verified; null: none, and nothing is verified. */
  readonly name: string | null;
  /** Certificate of the client. */
  readonly certificate?: TestCertificate;
  readonly alpn?: readonly string[];
  readonly version?: "TLSv1.2" | "TLSv1.3";
  /** A session to resume. */
  readonly session?: Buffer;
  /** OpenSSL's names of signature schemes that the client takes. */
  readonly signatures?: string;
}

/** A raw client within TLS, and what was agreed on. */
export interface TlsClient extends Disposable {
  readonly raw: RawClient;
  readonly version: string;
  readonly alpn: string | null;
  readonly certificate: X509Certificate;
  readonly isResumed: boolean;
  /** For another connection; in TLS 1.3 the server gives one behind its first answer. */
  session(): Buffer;
}

/** Connects and does the handshake; trusts the tests' authority. Rejects with a PeerError that says what went wrong. */
export async function connectTls(to: Address, options: TlsClientOptions): Promise<TlsClient> {
  const socket = await new Promise<Socket<Peer>>((resolve, reject) => {
    const failed = (error: Error | null | undefined) => reject(new PeerError(error?.message ?? "closed"));
    Bun.connect<Peer>({
      hostname: to.address ?? "127.0.0.1",
      port: to.port,
      allowHalfOpen: true,
      tls: tlsOf(options),
      socket: {
        ...peerHandlers,
        open(opened) {
          opened.data = new Peer(opened);
          if (options.session !== undefined) opened.setSession(options.session);
        },
        handshake(done, isAccepted, error) {
          // Who asks for no name has none to verify: the runtime would take the address.
          const isOnlyNameless = options.name === null && /altnames/.test(error?.message ?? "");
          if ((isAccepted && error === null) || isOnlyNameless) resolve(done);
          else failed(error);
        },
        close(closed, error) {
          peerHandlers.close(closed, error);
          failed(error);
        },
        connectError: (_socket, error) => failed(error),
      },
    }).catch(failed);
  });
  const raw = new RawClient(socket.data);
  return {
    raw,
    version: socket.getTLSVersion(),
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : null,
    certificate: socket.getPeerX509Certificate(),
    isResumed: socket.isSessionReused(),
    session() {
      // The types know no return value.
      const session: unknown = socket.getSession();
      if (!Buffer.isBuffer(session)) throw new PeerError("there is no session");
      return session;
    },
    [Symbol.dispose]: () => raw[Symbol.dispose](),
  };
}

function tlsOf({ name, certificate, alpn = [], version, signatures }: TlsClientOptions) {
  const { context } = createSecureContext({
    ca: authority().cert,
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
    ...(signatures === undefined ? {} : { sigalgs: signatures }),
  });
  const protocols = alpn.map((protocol) => Buffer.from(`${String.fromCharCode(protocol.length)}${protocol}`));
  return {
    secureContext: context,
    serverName: name ?? "",
    rejectUnauthorized: name !== null,
    ...(protocols.length === 0 ? {} : { ALPNProtocols: Buffer.concat(protocols) }),
  };
}
