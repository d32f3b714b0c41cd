import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { hasGateway, takeFreePorts } from "../machine.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** What tells one Torii of a comparison from another. */
export interface ToriiOptions {
  readonly name: string;
  /** Text of the one route file, YAML. */
  readonly routes: (backendPort: number) => string;
  readonly scheme?: "http" | "https";
  /** More keys of the one listener, YAML without braces; none unless given. */
  readonly listener?: (directory: string) => Promise<string>;
  /** Folder of its plugins, within the repository; `bench/plugins/` unless given. */
  readonly plugins?: string;
  /** URL of its Redis; none unless given. */
  readonly redis?: () => string;
}

const ROOT = resolve(import.meta.dir, "../..");
const MAIN = `${ROOT}/src/main.ts`;

/** Torii from this working tree, with one route file. */
export function toriiProxy(options: ToriiOptions): ProxySpec {
  const { name, routes, scheme = "http", listener = noKeys } = options;
  return {
    name,
    scheme,
    install: "src/main.ts is missing",
    isInstalled: () => hasGateway(MAIN),
    prepare: async (setup) => {
      await mkdir(`${setup.directory}/routes`);
      await writeConfig(setup, "routes/bench.yaml", routes(setup.backendPort));
      const file = await writeConfig(setup, "torii.yaml", config(setup, options, await listener(setup.directory)));
      return { command: [process.execPath, MAIN, "run", "--config", file], env: { NODE_ENV: "production" } };
    },
  };
}

async function noKeys(): Promise<string> {
  return "protocol: http";
}

function config(setup: ProxySetup, { plugins = "bench/plugins/", redis }: ToriiOptions, listener: string): string {
  const [statusPort = 0] = takeFreePorts(1);
  const accessLog =
    setup.accessLogFile === null ? "{ enabled: false }" : `{ enabled: true, path: ${setup.accessLogFile} }`;
  return `listeners:
  - { name: edge, ${listener}, address: 127.0.0.1, port: ${setup.port} }
routes: routes/
plugins: ${ROOT}/${plugins}
${redis === undefined ? "" : `redis: ${redis()}\n`}defaults: { timeout: 10m }
limits: { connections: 20000, idleTimeout: 10m }
status: { address: 127.0.0.1, port: ${statusPort} }
telemetry: { accessLog: ${accessLog} }
shutdown: { delay: 0s, timeout: 1s }
`;
}

/** One static service; `name` is what routes call it. */
export function serviceYaml(name: string, port: number): string {
  return `  ${name}:
    discover: static
    endpoints: [{ url: "http://127.0.0.1:${port}" }]
    maxConnections: 4096
    timeouts: { connect: 5s, response: 10m, idle: 10m }
`;
}

/** Everything goes to the backend. */
export function bareRoutes(backendPort: number): string {
  return `services:
${serviceYaml("backend", backendPort)}routes:
  - name: all
    matches: [{ path: /* }]
    backends: [{ service: backend }]
`;
}

/** Torii as a pipe of bytes. */
export function toriiTcp(): ProxySpec {
  const routes = (backendPort: number) => `services:
${serviceYaml("backend", backendPort)}routes:
  - { name: pipe, listeners: [edge], backends: [{ service: backend }] }
`;
  return toriiProxy({ name: "torii-tcp", routes, listener: async () => "protocol: tcp" });
}

/** Path that only the route with this number takes. */
export function routePath(number: number): string {
  return `/api/r${number}/items`;
}

/** As many routes as asked, each with a prefix of its own; one route takes all their paths. */
export function manyRoutes(count: number): (backendPort: number) => string {
  return (backendPort) => `services:
${serviceYaml("backend", backendPort)}routes:
${Array.from({ length: count }, (_, number) => routeYaml(number, count === 1 ? "/api/*" : `/api/r${number}/*`)).join("")}`;
}

function routeYaml(number: number, path: string): string {
  return `  - { name: r${number}, matches: [{ path: ${path} }], backends: [{ service: backend }] }\n`;
}

/** Three middleware in front of the backend. */
export function pluginRoutes(through: "headers" | "context"): (backendPort: number) => string {
  return (backendPort) => `${bareRoutes(backendPort)}    plugins:
${["one", "two", "three"].map((name) => pluginYaml(name, through)).join("")}`;
}

function pluginYaml(name: string, through: string): string {
  return `      - { use: bench-stamp, with: { read: x-read-${name}, write: x-write-${name}, through: ${through} } }\n`;
}
