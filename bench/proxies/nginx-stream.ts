import { existsSync } from "node:fs";
import { locateProgram } from "../machine.ts";
import { nginxCommand, nginxStreamConfig } from "../nginx-config.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** Where Debian puts the module; a build that has it inside needs none. */
const MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** nginx as a pipe of bytes. */
export function nginxStream(): ProxySpec {
  return {
    name: "nginx-stream",
    install: "apt-get install libnginx-mod-stream",
    isInstalled: () => locateProgram("nginx") !== null && (existsSync(MODULE) || hasModuleInside()),
    prepare: async (setup) => {
      const load = existsSync(MODULE) ? `load_module ${MODULE};` : "";
      const text = nginxStreamConfig(setup.directory, load, server(setup));
      const file = await writeConfig(setup, "nginx.conf", text);
      return { command: nginxCommand(setup.directory, file), env: {} };
    },
  };
}

function hasModuleInside(): boolean {
  const { stderr } = Bun.spawnSync([locateProgram("nginx") ?? "nginx", "-V"], { stderr: "pipe" });
  return /--with-stream(?:\s|$)/.test(stderr.toString());
}

function server(setup: ProxySetup): string {
  const log = setup.accessLogFile;
  const format = "log_format line '$remote_addr $time_iso8601 $bytes_received $bytes_sent $session_time';";
  return `
stream {
  ${log === null ? "access_log off;" : `${format} access_log ${log} line buffer=64k flush=1s;`}
  server {
    listen 127.0.0.1:${setup.port} backlog=4096;
    proxy_pass 127.0.0.1:${setup.backendPort};
    proxy_timeout 600s;
  }
}`;
}
