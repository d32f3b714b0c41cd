import { locateProgram } from "../machine.ts";
import { NGINX_INSTALL, nginxCommand, nginxConfig } from "../nginx-config.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** How a server differs from the plain one. */
export interface NginxServer {
  /** Parameters of `listen`. */
  readonly listen: string;
  /** Further directives of the server. */
  readonly more: string;
}

/** nginx as a streaming reverse proxy that keeps its connections to the backend. */
export function nginxProxy(): ProxySpec {
  return { ...nginxVariant("nginx", async () => ({ listen: "", more: "" })), scheme: "http" };
}

/** The same with other parameters, over TLS. */
export function nginxVariant(name: string, serverOf: (setup: ProxySetup) => Promise<NginxServer>): ProxySpec {
  return {
    name,
    scheme: "https",
    install: NGINX_INSTALL,
    isInstalled: () => locateProgram("nginx") !== null,
    prepare: async (setup) => {
      const file = await writeConfig(
        setup,
        "nginx.conf",
        nginxConfig(setup.directory, server(setup, await serverOf(setup))),
      );
      return { command: nginxCommand(setup.directory, file), env: {} };
    },
  };
}

function server(setup: ProxySetup, { listen, more }: NginxServer): string {
  const accessLog =
    setup.accessLogFile === null ? "" : `access_log ${setup.accessLogFile} combined buffer=64k flush=1s;`;
  return `
  upstream backend {
    server 127.0.0.1:${setup.backendPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${setup.port} ${listen} backlog=4096;${more}
    ${accessLog}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      # The others stream uploads and never touch a disk.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }`;
}
