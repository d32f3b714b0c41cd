import { OK_BODY } from "./backend.ts";
import { CALL_PATH, MESSAGE_BYTES, startGrpcBackend } from "./grpc-backend.ts";
import { H2LOAD_INSTALL } from "./h2load.ts";
import { get, type LoadSpec, upload } from "./load.ts";
import { envoyGrpc, envoyTls } from "./proxies/envoy-edge.ts";
import { nginxTls } from "./proxies/nginx-tls.ts";
import { toriiGrpc, toriiTls } from "./proxies/torii-edge.ts";
import type { LoadScenario } from "./scenario.ts";

/** What the edge of a cluster does: TLS, HTTP/2, gRPC. */
export function edgeScenarios(): readonly LoadScenario[] {
  return [
    secured("https-64", "HTTPS: GET, kept connections", get("/", 64)),
    secured("handshake", "HTTPS: a full handshake (P-256) for each GET", {
      ...get("/", 64),
      headers: { Connection: "close" },
    }),
    secured("h2-32", "HTTP/2 over TLS, 32 streams on each connection", { ...get("/", 4), streams: 32 }),
    secured("h2-1", "HTTP/2 over TLS, one stream on each connection", { ...get("/", 64), streams: 1 }),
    grpcUnary(),
  ];
}

function secured(name: string, title: string, load: LoadSpec): LoadScenario {
  return {
    kind: "load",
    name,
    title,
    contestants: [nginxTls(), envoyTls(), toriiTls()],
    baseline: "nginx-tls",
    load: { ...load, isTls: true },
    answerBytes: OK_BODY.length,
    startBackend: null,
    tool: load.streams === null ? null : { program: "h2load", install: H2LOAD_INSTALL },
  };
}

function grpcUnary(): LoadScenario {
  const headers = { "content-type": "application/grpc", te: "trailers" };
  return {
    kind: "load",
    name: "grpc-unary",
    title: "gRPC: unary calls in the clear, 32 on each connection",
    contestants: [envoyGrpc(), toriiGrpc()],
    baseline: "envoy-grpc",
    load: { ...upload(MESSAGE_BYTES, 4), paths: [CALL_PATH], headers, streams: 32 },
    answerBytes: MESSAGE_BYTES,
    startBackend: startGrpcBackend,
    tool: { program: "nghttpd", install: H2LOAD_INSTALL },
  };
}
