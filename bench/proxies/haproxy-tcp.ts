import { haproxyVariant } from "./haproxy.ts";
import type { ProxySetup, ProxySpec } from "./proxy.ts";

/** HAProxy with one thread as a pipe of bytes. */
export function haproxyTcp(): ProxySpec {
  return haproxyVariant("haproxy-tcp", config);
}

function config(setup: ProxySetup): string {
  const log = setup.accessLogFile === null ? "" : "  log stdout format raw local0\n  option tcplog\n";
  return `global
  nbthread 1
  maxconn 4096

defaults
  mode tcp
${log}  timeout connect 5s
  timeout client 600s
  timeout server 600s

frontend edge
  bind 127.0.0.1:${setup.port} backlog 4096
  default_backend backend

backend backend
  server backend 127.0.0.1:${setup.backendPort}
`;
}
