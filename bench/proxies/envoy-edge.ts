import { makeCertificate } from "../certificate.ts";
import { envoyVariant, typed } from "./envoy.ts";
import type { ProxySpec } from "./proxy.ts";

/** Envoy with TLS and HTTP/2. Without tickets: what is measured as a handshake is a whole one. */
export function envoyTls(): ProxySpec {
  return envoyVariant({ name: "envoy-tls", scheme: "https" }, async ({ directory }) => {
    const { certFile, keyFile } = await makeCertificate(directory);
    const certificate = { certificate_chain: { filename: certFile }, private_key: { filename: keyFile } };
    const common = { tls_certificates: [certificate], alpn_protocols: ["h2", "http/1.1"] };
    const context = {
      common_tls_context: common,
      disable_stateless_session_resumption: true,
      disable_stateful_session_resumption: true,
    };
    return {
      chain: { transport_socket: typed("transport_sockets.tls.v3.DownstreamTlsContext", "tls", context) },
      cluster: {},
    };
  });
}

/** Envoy in front of a service that speaks HTTP/2 in the clear. */
export function envoyGrpc(): ProxySpec {
  return envoyVariant({ name: "envoy-grpc", scheme: "http" }, async () => ({ chain: {}, cluster: OVER_HTTP2 }));
}

const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const OVER_HTTP2 = {
  typed_extension_protocol_options: {
    [OPTIONS]: { "@type": `type.googleapis.com/${OPTIONS}`, explicit_http_config: { http2_protocol_options: {} } },
  },
};
