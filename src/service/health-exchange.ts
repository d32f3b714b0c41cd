import type { BodySink, BodySource } from "../wire/body.ts";
import { type ClientInfo, Exchange, type Responder } from "../wire/exchange.ts";
import { headerList } from "../wire/header-list.ts";
import type { HealthCheckOptions } from "./health-options.ts";

const NOBODY: Responder = { respond() {}, inform() {}, refuse() {} };

/** The gateway asks for itself. */
const SELF: ClientInfo = {
  address: "127.0.0.1",
  peer: "127.0.0.1",
  port: 0,
  localPort: 0,
  isTrusted: false,
  tls: null,
};

const USER_AGENT = ["User-Agent", "torii-health-check"] as const;

/** The request of one check; nobody hears of its response but who sends it. */
export function healthExchange(authority: string, health: HealthCheckOptions): Exchange {
  const isGrpc = health.type === "grpc";
  const target = isGrpc ? "/grpc.health.v1.Health/Check" : health.path;
  const fields = isGrpc
    ? ([USER_AGENT, ["Content-Type", "application/grpc"], ["TE", "trailers"]] as const)
    : [USER_AGENT];
  const head = { method: isGrpc ? "POST" : "GET", target, minor: 1, host: authority, authority } as const;
  return new Exchange(
    { ...head, protocol: "HTTP/1.1", headers: headerList(fields) },
    {
      id: "health-check",
      startedAt: 0,
      scheme: "http",
      listener: "",
      client: SELF,
      body: isGrpc ? wholeBody(grpcRequest(health.grpcService)) : null,
      upgrade: null,
      expectsContinue: false,
      responder: NOBODY,
    },
  );
}

/** A `HealthCheckRequest` in its gRPC frame. The name has at most 127 bytes. */
function grpcRequest(service: string): Uint8Array {
  const name = Buffer.from(service);
  // Field 1, a string; left out when it is empty.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

function wholeBody(bytes: Uint8Array): BodySource {
  return {
    length: bytes.length,
    pipe(sink: BodySink) {
      sink.write(bytes);
      sink.end(null);
    },
    pause() {},
    resume() {},
    cancel() {},
  };
}
