import { parseArgs } from "node:util";
import { idOf } from "../../packages/mesh/src/record.ts";
import { createMeshWriter } from "../../packages/mesh/src/writer.ts";
import { createMeshList, type MeshList } from "../registry/mesh-list.ts";
import { endpointsOf } from "../registry/mesh-record.ts";
import type { EndpointLoad } from "../registry/registry.ts";
import { type Command, type CommandContext, EXIT, UsageError } from "./command.ts";
import { keptEndpoint, serviceName } from "./service-endpoint.ts";
import { keepEndpoint } from "./service-lease.ts";
import { withMesh } from "./service-redis.ts";
import { listenToSignals } from "./signals.ts";
import { table } from "./table.ts";

const USAGE = [
  "torii service add|remove|list …",
  "torii service add NAME URL [--id ID] [--weight 1] [--zone ZONE] [--version V] [--tag T]… [--ttl 15s]",
  "torii service remove NAME ID|URL",
  "torii service list [NAME] [--json]",
];

/** `torii service`: what stands in the registry in Redis, written and read by hand. */
export const service: Command = {
  name: "service",
  usage: `${USAGE.join("\n       ")}\n       each with [--config torii.yaml]; without a Redis there, REDIS_URL counts`,
  summary: "registers an endpoint in Redis while it runs; takes one out; lists them",
  async run([verb, ...args], context) {
    if (verb === "add") return await add(args, context);
    if (verb === "remove") return await remove(args, context);
    if (verb === "list") return await list(args, context);
    throw new UsageError(verb === undefined ? "say add, remove or list" : `${verb} is none of add, remove and list`);
  },
};

function atMost(count: number, words: readonly string[]): readonly string[] {
  const surplus = words[count];
  if (surplus !== undefined) throw new UsageError(`${JSON.stringify(surplus)} is one word too many`);
  return words;
}

async function add(args: readonly string[], context: CommandContext): Promise<number> {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: text,
      id: text,
      weight: text,
      zone: text,
      version: text,
      tag: { ...text, multiple: true },
      ttl: { ...text, default: "15s" },
    },
  });
  const [name, url] = atMost(2, positionals);
  const kept = keptEndpoint(name, url, values);
  const signals = listenToSignals();
  const ended = new AbortController();
  void signals.stopped.then(() => ended.abort());
  try {
    const options = { say: context.err, signal: ended.signal, random: Math.random };
    const isOut = await withMesh(values.config, context, (link) => keepEndpoint(link, kept, options));
    return isOut ? EXIT.done : EXIT.failed;
  } finally {
    signals.close();
  }
}

async function remove(args: readonly string[], context: CommandContext): Promise<number> {
  const options = { config: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [name, id] = atMost(2, positionals);
  const from = serviceName(name);
  if (id === undefined) throw new UsageError("ID is missing");
  const isOut = await withMesh(values.config, context, async (link) => {
    const mesh = createMeshWriter(link);
    const ids = [id, idOf(id)].filter((one) => one !== null);
    for (const one of ids) if (await mesh.deregister(from, one)) return true;
    return false;
  });
  if (!isOut) throw new Error(`${from} has no endpoint ${JSON.stringify(id)}`);
  context.out(`${from} ${id} is taken out`);
  return EXIT.done;
}

/** An endpoint as it is listed; `fault` says why gateways ignore it. */
interface EndpointRow {
  readonly service: string;
  readonly id: string;
  readonly url: string | null;
  readonly weight: number | null;
  readonly zone: string | null;
  readonly version: string | null;
  readonly tags: readonly string[];
  /** What it reports of itself. */
  readonly load: EndpointLoad | null;
  /** What is left of its lease; null: not known, as its id is shown cut. */
  readonly leaseMs: number | null;
  readonly fault: string | null;
}

/** What is shown of an endpoint that is ignored. */
const NO_FACTS = { url: null, weight: null, zone: null, version: null, tags: [], load: null } as const;

async function rowsOf(mesh: MeshList, name: string): Promise<readonly EndpointRow[]> {
  const records = await mesh.endpoints(name);
  // All at once, as gateways read them: one may be ignored for what another is.
  const { used, ignored } = endpointsOf(records);
  const leases = new Map(records.map(({ id, leftMs }) => [id, leftMs]));
  const rows = [
    ...used.map(({ id, url, weight, zone = null, version = null, tags = [], load = null }) => {
      return { id, url, weight, zone, version, tags, load, fault: null };
    }),
    ...ignored.map(({ id, detail }) => ({ ...NO_FACTS, id, fault: detail })),
  ];
  return rows
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((row) => ({ service: name, leaseMs: leases.get(row.id) ?? null, ...row }));
}

async function list(args: readonly string[], context: CommandContext): Promise<number> {
  const options = { config: { type: "string" }, json: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const [name] = atMost(1, positionals);
  const only = name === undefined ? null : serviceName(name);
  const rows = await withMesh(values.config, context, async (link) => {
    const mesh = createMeshList(link);
    const names = only === null ? await mesh.services() : [only];
    const all: EndpointRow[] = [];
    for (const one of names) all.push(...(await rowsOf(mesh, one)));
    return all;
  });
  context.out(values.json ? JSON.stringify(rows, null, 2) : rowTable(rows));
  return EXIT.done;
}

function leaseText(leaseMs: number | null): string {
  if (leaseMs === null) return "-";
  return leaseMs === Number.POSITIVE_INFINITY ? "for ever" : `${(leaseMs / 1000).toFixed(1)}s`;
}

function rowTable(rows: readonly EndpointRow[]): string {
  const cells = rows.map(({ service: name, id, url, weight, zone, version, tags, leaseMs, fault }) => [
    name,
    id,
    url ?? `(ignored: ${fault ?? ""})`,
    String(weight ?? "-"),
    zone ?? "-",
    version ?? "-",
    tags.join(", ") || "-",
    leaseText(leaseMs),
  ]);
  return table(["SERVICE", "ENDPOINT", "URL", "WEIGHT", "ZONE", "VERSION", "TAGS", "LEASE"], cells);
}
