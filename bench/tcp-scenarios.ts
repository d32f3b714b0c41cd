import { FILE_BYTES, OK_BODY } from "./backend.ts";
import { get, type LoadSpec, upload } from "./load.ts";
import { haproxyTcp } from "./proxies/haproxy-tcp.ts";
import { nginxStream } from "./proxies/nginx-stream.ts";
import { toriiTcp } from "./proxies/torii.ts";
import type { LoadScenario } from "./scenario.ts";

/** Bytes are passed on as they are; that they are HTTP only the clients and the backend know. */
export function tcpScenarios(): readonly LoadScenario[] {
  return [
    piped("tcp-64", "pipe: small exchanges, kept connections", get("/", 64)),
    piped("tcp-new", "pipe: a connection for each small exchange", {
      ...get("/", 64),
      headers: { Connection: "close" },
    }),
    piped("tcp-down-1m", "pipe: 1 MiB answers", get("/body-1m", 16)),
    piped("tcp-up-1m", "pipe: 1 MiB uploads", upload(1024 * 1024, 16)),
  ];
}

function piped(name: string, title: string, load: LoadSpec): LoadScenario {
  const contestants = [nginxStream(), haproxyTcp(), toriiTcp()];
  const answerBytes = FILE_BYTES[load.paths[0] ?? ""] ?? OK_BODY.length;
  return {
    kind: "load",
    name,
    title,
    contestants,
    baseline: "nginx-stream",
    load,
    answerBytes,
    startBackend: null,
    tool: null,
  };
}
