import { X509Certificate } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { authority, type TestCertificate } from "../../test/support/certificates.ts";
import { closedPort } from "../../test/support/unreachable.ts";
import { type SoakGateway, startSoakGateway } from "../gateway.ts";
import { type Origins, startOrigins } from "./origins.ts";

/** The name that clients ask for. */
export const NAME = "shop.test";
/** The name of the origins' own certificate. */
export const ORIGIN_NAME = "origin.test";
/** The first segment of a path says how the gateway speaks to the service behind it. */
export const WAYS = ["h1", "https", "h2", "h2c"] as const;

/** After so long a kept connection to a service that nobody uses is closed. */
export const IDLE_SECONDS = 15;

/** Certificates that take turns. */
const GENERATIONS = 4;

/** A gateway with a listener of each kind in a process of its own, and what stands behind it. */
export interface MixedEdge extends AsyncDisposable {
  readonly gateway: SoakGateway;
  readonly origins: Origins;
  readonly ports: Readonly<Record<"https" | "http" | "pipe" | "names", number>>;
  /** Edits the route file; `/edit` answers with the number from the reload on. */
  edit(number: number): Promise<void>;
  /** Replaces both certificates; resolves with the serial number of the new ECDSA one. */
  rotate(number: number): Promise<string>;
}

const pemOf = ({ cert, key }: TestCertificate): string => cert + key;

function services({ plain, secure, grpc, sockets, pipePort, mortal }: Origins) {
  const of = (...urls: readonly string[]) => ({
    discover: "static",
    endpoints: urls.map((url) => ({ url })),
    // Services share their process with all clients: on a busy machine they are slow to accept.
    timeouts: { connect: "15s", response: "1h", idle: `${IDLE_SECONDS}s` },
  });
  const tls = { ca: authority().certPath, serverName: ORIGIN_NAME };
  return {
    h1: of(plain),
    https: { ...of(secure), tls },
    h2: { ...of(secure), tls, protocol: "h2" },
    h2c: { ...of(plain), protocol: "h2c" },
    mortal: of(mortal.url, plain),
    grpc: { ...of(`http://127.0.0.1:${grpc.port}`), protocol: "h2c" },
    sockets: of(sockets.url),
    pipe: of(`http://127.0.0.1:${pipePort}`),
    secure: of(secure),
  };
}

const MARK = { use: "response-headers", with: { set: { "x-soak": "seen" } } };

function routes(origins: Origins, edit: number) {
  const http = ["https", "http"];
  const to = (service: string) => ({ listeners: http, backends: [{ service }] });
  return {
    services: services(origins),
    routes: [
      ...[...WAYS, "mortal"].map((way) => ({
        name: way,
        matches: [{ path: `/${way}/*` }],
        ...to(way),
        ...(way === "https" ? { plugins: [MARK] } : {}),
      })),
      { name: "grpc", matches: [{ path: "/torii.test.Echo/*" }], timeout: "1h", ...to("grpc") },
      { name: "sockets", matches: [{ path: "/ws" }], timeout: "1h", ...to("sockets") },
      {
        name: "edit",
        listeners: http,
        matches: [{ path: "/edit" }],
        plugins: [{ use: "respond", with: { status: 200, body: String(edit) } }],
      },
      // Some routes come and go with every edit; their names return, as each is a series of the metrics.
      ...Array.from({ length: edit % 5 }, (_, at) => ({
        name: `further-${edit % 20}-${at}`,
        matches: [{ path: `/further/${at}/*` }],
        ...to("h1"),
      })),
      { name: "pipe", listeners: ["pipe"], backends: [{ service: "pipe" }] },
      { name: "names", listeners: ["names"], hostnames: [ORIGIN_NAME], backends: [{ service: "secure" }] },
    ],
  };
}

function torii(ports: MixedEdge["ports"]) {
  const at = (name: keyof MixedEdge["ports"]) => ({ name, address: "127.0.0.1", port: ports[name] });
  const certificates = ["ecdsa", "rsa"].map((type) => ({ cert: `certs/${type}.pem`, key: `certs/${type}.pem` }));
  return {
    listeners: [
      { ...at("https"), tls: { certificates }, hostnames: [NAME] },
      at("http"),
      { ...at("pipe"), protocol: "tcp" },
      { ...at("names"), protocol: "tls_passthrough" },
    ],
    limits: { headerTimeout: "5s", idleTimeout: "30s" },
    // Lines are made and written, and nothing is kept of them.
    telemetry: { accessLog: { path: "/dev/null" } },
  };
}

function generations(): readonly { readonly ecdsa: TestCertificate; readonly rsa: TestCertificate }[] {
  const renew = (keyType: "ecdsa" | "rsa") => authority().renew({ names: [NAME], keyType });
  return Array.from({ length: GENERATIONS }, () => ({ ecdsa: renew("ecdsa"), rsa: renew("rsa") }));
}

/** Starts it all; resolves when the gateway is ready. */
export async function startMixedEdge(env: Readonly<Record<string, string>>): Promise<MixedEdge> {
  const origins = await startOrigins(authority().issue({ names: [ORIGIN_NAME] }));
  const ports = { https: closedPort(), http: closedPort(), pipe: closedPort(), names: closedPort() };
  const all = generations();
  const turn = (number: number) => {
    const one = all[number % GENERATIONS];
    if (one === undefined) throw new Error("there are no certificates");
    return one;
  };
  const { ecdsa, rsa } = turn(0);
  const files = { "certs/ecdsa.pem": pemOf(ecdsa), "certs/rsa.pem": pemOf(rsa) };
  const gateway = await startSoakGateway(routes(origins, 0), torii(ports), { files, env });
  const replace = async (path: string, text: string) => {
    const whole = join(gateway.folder, path);
    await writeFile(`${whole}.new`, text);
    await rename(`${whole}.new`, whole);
  };
  return {
    gateway,
    origins,
    ports,
    edit: (number) => gateway.writeRoutes(routes(origins, number)),
    async rotate(number) {
      const next = turn(number);
      await replace("certs/rsa.pem", pemOf(next.rsa));
      await replace("certs/ecdsa.pem", pemOf(next.ecdsa));
      return new X509Certificate(next.ecdsa.cert).serialNumber;
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await origins[Symbol.asyncDispose]();
    },
  };
}
