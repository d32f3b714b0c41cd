import { locateProgram } from "../machine.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** HAProxy with one thread; it shares its connections to the backend among all clients. */
export function haproxyProxy(): ProxySpec {
  return haproxyVariant("haproxy", config);
}

/** HAProxy with another configuration. */
export function haproxyVariant(name: string, configOf: (setup: ProxySetup) => string): ProxySpec {
  return {
    name,
    install: "apt-get install haproxy",
    isInstalled: () => locateProgram("haproxy") !== null,
    prepare: async (setup) => {
      const file = await writeConfig(setup, "haproxy.cfg", configOf(setup));
      return { command: [locateProgram("haproxy") ?? "haproxy", "-db", "-f", file], env: {} };
    },
  };
}

function config(setup: ProxySetup): string {
  // Standard output goes to a file of the benchmark's.
  const log = setup.accessLogFile === null ? "" : "  log stdout format raw local0\n  option httplog\n";
  return `global
  nbthread 1
  maxconn 4096
  # Above the usual 25 % of all files it closes idle connections to servers: a thousand clients would be over it.
  tune.pool-low-fd-ratio 80
  tune.pool-high-fd-ratio 90

defaults
  mode http
${log}  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s

frontend edge
  bind 127.0.0.1:${setup.port} backlog 4096
  default_backend backend

backend backend
  server backend 127.0.0.1:${setup.backendPort}
`;
}
