import { locateProgram } from "./machine.ts";

/** Installs what no benchmark can do without. */
export const NGINX_INSTALL = "apt-get install nginx-light wrk";

/** The parts that any nginx here needs: all its files stay in one directory, nothing goes to the background. */
function nginxMain(directory: string): string {
  // Workers of an nginx started by root change to another user, who may not enter a private directory.
  const user = process.getuid?.() === 0 ? "user root root;" : "";
  return `${user}
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 16384; }
`;
}

/** An nginx that speaks HTTP, with these servers. */
export function nginxConfig(directory: string, http: string): string {
  return `${nginxMain(directory)}http {
  access_log off;
  client_body_temp_path ${directory}/client-body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  default_type application/octet-stream;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
${http}
}
`;
}

/** An nginx that passes bytes: `before` loads its module, `stream` is the block that says where to. */
export function nginxStreamConfig(directory: string, before: string, stream: string): string {
  return `${before}${nginxMain(directory)}${stream}\n`;
}

/** Throws when nginx is not installed. */
export function nginxCommand(directory: string, configFile: string): readonly string[] {
  const program = locateProgram("nginx");
  if (program === null) throw new Error(`nginx is not installed: ${NGINX_INSTALL}`);
  return [program, "-p", directory, "-c", configFile, "-e", `${directory}/error.log`];
}
