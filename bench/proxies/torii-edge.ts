import { makeCertificate } from "../certificate.ts";
import type { ProxySpec } from "./proxy.ts";
import { bareRoutes, serviceYaml, toriiProxy } from "./torii.ts";

/** Torii with TLS and HTTP/2. */
export function toriiTls(): ProxySpec {
  return toriiProxy({
    name: "torii-tls",
    routes: bareRoutes,
    scheme: "https",
    listener: async (directory) => {
      const { certFile, keyFile } = await makeCertificate(directory);
      return `protocol: https, tls: { certificates: [{ cert: ${certFile}, key: ${keyFile} }] }`;
    },
  });
}

/** Torii in front of a service that speaks HTTP/2 in the clear. */
export function toriiGrpc(): ProxySpec {
  const routes = (backendPort: number) => `services:
${serviceYaml("backend", backendPort)}    protocol: h2c
routes:
  - { name: all, matches: [{ path: /* }], backends: [{ service: backend }] }
`;
  return toriiProxy({ name: "torii-grpc", routes });
}
