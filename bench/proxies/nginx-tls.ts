import { makeCertificate } from "../certificate.ts";
import { nginxVariant } from "./nginx.ts";
import type { ProxySpec } from "./proxy.ts";

/** nginx with TLS and HTTP/2. Neither tickets nor a cache: what is measured as a handshake is a whole one. */
export function nginxTls(): ProxySpec {
  return nginxVariant("nginx-tls", async (setup) => {
    const { certFile, keyFile } = await makeCertificate(setup.directory);
    return {
      listen: "ssl http2",
      more: `
    ssl_certificate ${certFile};
    ssl_certificate_key ${keyFile};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    http2_max_requests 1000000000;`,
    };
  });
}
