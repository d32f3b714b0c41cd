import { mkdir, open } from "node:fs/promises";
import { nginxCommand, nginxConfig } from "./nginx-config.ts";
import type { Launch } from "./proxies/proxy.ts";

/** What the backend answers to every path that is no file. */
export const OK_BODY = "torii-bench\n";

/** Files that the backend serves, by path. */
export const FILE_BYTES: Readonly<Record<string, number>> = {
  "/body-16k": 16 * 1024,
  "/body-1m": 1024 * 1024,
  "/body-500m": 500_000_000,
};

/** A path that reads the whole request body before it answers. */
export const UPLOAD_PATH = "/upload";

/** Header of the answer to an upload: bytes of the request that the backend read, head included. */
export const RECEIVED_HEADER = "x-received";

/** Writes the files and the configuration of the backend: one nginx worker that keeps connections open. */
export async function prepareBackend(directory: string, port: number): Promise<Launch> {
  await mkdir(`${directory}/files`);
  for (const [path, bytes] of Object.entries(FILE_BYTES)) await writeSparse(`${directory}/files${path}`, bytes);
  const file = `${directory}/nginx.conf`;
  await Bun.write(file, nginxConfig(directory, servers(directory, port)));
  return { command: nginxCommand(directory, file), env: {} };
}

/** Holes read as zeros and cost no disk. */
async function writeSparse(file: string, bytes: number): Promise<void> {
  const handle = await open(file, "w");
  await handle.truncate(bytes);
  await handle.close();
}

/**
 * `return` answers before a body was read, which would turn an upload into an early response. A proxied location
 * reads the whole body into memory first; it then asks a socket of the same worker, without the body.
 */
function servers(directory: string, port: number): string {
  const discard = `unix:${directory}/discard.sock`;
  const files = Object.keys(FILE_BYTES).map((path) => `location = ${path} { root ${directory}/files; }`);
  return `
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  upstream discard { server ${discard}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "${OK_BODY.trim()}\\n"; }
    ${files.join("\n    ")}
    location = ${UPLOAD_PATH} {
      client_body_buffer_size 2m;
      proxy_pass_request_body off;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass http://discard;
      add_header ${RECEIVED_HEADER} $request_length;
    }
  }
  server {
    listen ${discard};
    location / { return 200 "${OK_BODY.trim()}\\n"; }
  }`;
}
