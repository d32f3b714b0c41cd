import { afterAll, beforeAll } from "bun:test";
import { catchAll, startGateway, type TestGateway } from "../support.ts";
import { authority, type TestCertificate } from "./certificates.ts";
import { startOrigin } from "./origin.ts";
import type { Upstream } from "./upstream.ts";

/** Names of the edge's certificates, each with its own. */
export const EDGE_NAMES = { shop: "shop.test", wild: "*.wild.test", rsa: "rsa.test" } as const;

/** A whole gateway as clients of the world meet it. */
export interface Edge extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** Trusted by nobody but who is told to. */
  readonly caPath: string;
  /** Shown to who asks for `shop.test`. */
  readonly certificate: TestCertificate;
  /** What a client shows to `mtls`. */
  readonly clientCertificate: TestCertificate;
  /** The port of a listener: `https`, `tls13`, `strict`, `mtls`, `http` or `proxied`. */
  port(listener: string): number;
}

export interface EdgeOptions {
  /** Services and routes; all requests go to the one address unless given. */
  readonly routes?: Readonly<Record<string, unknown>>;
}

function pair({ certPath, keyPath }: TestCertificate) {
  return { cert: certPath, key: keyPath };
}

/** In front of one address: in the clear, behind the PROXY protocol, and over TLS in each way that it is offered. */
export async function startEdge(url: string, { routes }: EdgeOptions = {}): Promise<Edge> {
  const ca = authority();
  const certificate = ca.issue({ names: [EDGE_NAMES.shop, "localhost"], otherNames: ["IP:127.0.0.1"] });
  const certificates = [
    pair(certificate),
    pair(ca.issue({ names: [EDGE_NAMES.wild] })),
    pair(ca.issue({ names: [EDGE_NAMES.rsa], keyType: "rsa" })),
  ];
  const clientAuth = { ca: ca.certPath, mode: "require" };
  const at = { address: "127.0.0.1", port: 0 };
  const gateway = await startGateway({
    torii: {
      listeners: [
        { ...at, name: "http" },
        { ...at, name: "proxied", proxyProtocol: true },
        { ...at, name: "https", tls: { certificates } },
        { ...at, name: "tls13", tls: { certificates, minVersion: "TLSv1.3" } },
        { ...at, name: "strict", tls: { certificates, strictSni: true } },
        { ...at, name: "mtls", tls: { certificates, clientAuth } },
      ],
      trustedProxies: ["127.0.0.1"],
      status: at,
      shutdown: { delay: "0s", timeout: "1s" },
      telemetry: { accessLog: { path: "access.log" } },
    },
    routes: routes ?? catchAll(url),
  });
  return {
    gateway,
    caPath: ca.certPath,
    certificate,
    clientCertificate: ca.issue({ commonName: "client", usage: "client" }),
    port(listener) {
      const found = gateway.gateway.addresses.get(listener);
      if (found === undefined) throw new Error(`the edge has no listener ${listener}`);
      return found.port;
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

/** One edge and the service behind it, for all tests of a file. */
export function sharedEdge(): { readonly edge: Edge; readonly origin: Upstream } {
  let origin: Upstream | null = null;
  let edge: Edge | null = null;
  beforeAll(async () => {
    origin = startOrigin();
    edge = await startEdge(origin.url);
  });
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]();
    await origin?.close();
  });
  const started = <Part>(part: Part | null): Part => {
    if (part === null) throw new Error("the edge is there for tests only, not before them");
    return part;
  };
  return {
    get edge() {
      return started(edge);
    },
    get origin() {
      return started(origin);
    },
  };
}
