import { locateProgram } from "../machine.ts";
import { type ProxySetup, type ProxySpec, writeConfig } from "./proxy.ts";

/** How a configuration differs from the plain one. */
export interface EnvoyVariant {
  /** Fields of the listener's one filter chain. */
  readonly chain: object;
  /** Fields of the cluster. */
  readonly cluster: object;
}

/** Envoy with one worker and a static configuration. */
export function envoyProxy(): ProxySpec {
  return envoyVariant({ name: "envoy", scheme: "http" }, async () => ({ chain: {}, cluster: {} }));
}

/** The same with other parts. */
export function envoyVariant(
  { name, scheme }: Required<Pick<ProxySpec, "name" | "scheme">>,
  variantOf: (setup: ProxySetup) => Promise<EnvoyVariant>,
): ProxySpec {
  return {
    name,
    scheme,
    install: "put an `envoy` on PATH",
    isInstalled: () => locateProgram("envoy") !== null,
    prepare: async (setup) => {
      const file = await writeConfig(
        setup,
        "envoy.json",
        JSON.stringify(config(setup, await variantOf(setup)), null, 2),
      );
      const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];
      return { command: [locateProgram("envoy") ?? "envoy", "-c", file, ...flags], env: {} };
    },
  };
}

function config(setup: ProxySetup, variant: EnvoyVariant): object {
  return {
    static_resources: {
      listeners: [
        {
          name: "edge",
          address: socketAddress(setup.port),
          filter_chains: [
            { filters: [typed(NETWORK + HTTP_MANAGER, "http", connectionManager(setup))], ...variant.chain },
          ],
        },
      ],
      clusters: [{ ...cluster(setup.backendPort), ...variant.cluster }],
    },
  };
}

const TYPE = "type.googleapis.com/envoy.extensions.";
const NETWORK = "filters.network.http_connection_manager.v3.";
const HTTP_MANAGER = "HttpConnectionManager";

/** A part that Envoy finds by its type. */
export function typed(type: string, name: string, fields: object): object {
  return { name, typed_config: { "@type": TYPE + type, ...fields } };
}

function connectionManager(setup: ProxySetup): object {
  const accessLog =
    setup.accessLogFile === null
      ? []
      : [typed("access_loggers.file.v3.FileAccessLog", "file", { path: setup.accessLogFile })];
  return {
    stat_prefix: "edge",
    // Makes the client's address the one of the connection, and appends it to X-Forwarded-For.
    use_remote_address: true,
    access_log: accessLog,
    http_filters: [typed("filters.http.router.v3.Router", "router", {})],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "backend", timeout: "600s" } }],
        },
      ],
    },
  };
}

function cluster(backendPort: number): object {
  // The default of 1,024 leaves no room above a thousand clients.
  const threshold = { max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 };
  return {
    name: "backend",
    type: "STATIC",
    connect_timeout: "5s",
    circuit_breakers: { thresholds: [threshold] },
    load_assignment: {
      cluster_name: "backend",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(backendPort) } }] }],
    },
  };
}

function socketAddress(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
