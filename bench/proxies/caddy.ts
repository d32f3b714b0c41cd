import { locateProgram } from "../machine.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** Caddy with one thread for Go code; its log and its state stay in the setup's directory. */
export function caddyProxy(): ProxySpec {
  return {
    name: "caddy",
    install: "apt-get install caddy",
    isInstalled: () => locateProgram("caddy") !== null,
    prepare: async (setup) => {
      const file = await writeConfig(setup, "Caddyfile", config(setup));
      const command = [locateProgram("caddy") ?? "caddy", "run", "--adapter", "caddyfile", "--config", file];
      const home = { HOME: setup.directory, XDG_DATA_HOME: setup.directory, XDG_CONFIG_HOME: setup.directory };
      return { command, env: { ...home, GOMAXPROCS: "1" } };
    },
  };
}

function config(setup: ProxySetup): string {
  const log = setup.accessLogFile === null ? "" : `  log {\n    output file ${setup.accessLogFile}\n  }`;
  return `{
  admin off
  auto_https off
  log default {
    level WARN
  }
}
http://:${setup.port} {
  bind 127.0.0.1
${log}
  reverse_proxy 127.0.0.1:${setup.backendPort} {
    transport http {
      keepalive 10m
      keepalive_idle_conns 1024
      keepalive_idle_conns_per_host 1024
    }
  }
}
`;
}
