import * as z from "zod";
import { serviceView } from "../service/view-schema.ts";

const count = z.int().min(0);
const instant = z.iso.datetime().describe("RFC 3339, UTC");

const reason = z.strictObject({ code: z.string(), detail: z.string() });

const listener = z.strictObject({
  name: z.string(),
  protocol: z.enum(["http", "https", "tcp", "tls_passthrough"]),
  address: z.string(),
  port: count,
  hostnames: z.array(z.string()).describe("empty: every host"),
});

const worker = z.strictObject({
  worker: count.describe("the number of its slot, from 1"),
  pid: count.nullable().describe("null: there is none at the moment"),
  state: z
    .enum(["serving", "overloaded", "silent", "missing"])
    .describe("overloaded: takes no new connections; silent: does not answer; missing: ended, and is started again"),
});

const registry = z.strictObject({
  source: z.string(),
  isUp: z.boolean().describe("false: endpoints stay as last known, in at least one worker"),
  recalled: count.describe(
    "services whose endpoints come from the last good copy on disk, in the worker with the most",
  ),
});

/** `/v1/status`. */
export const statusView = z
  .strictObject({
    version: z.string().describe("of Torii"),
    startedAt: instant,
    uptimeSeconds: count,
    zone: z.string().nullable().describe("where it stands; null: its configuration does not say"),
    isReady: z.boolean().describe("as /readyz of the status server says"),
    reasons: z.array(reason).describe("why it is not ready"),
    config: z.strictObject({
      version: z.string().describe("counts the configurations that went live since the start"),
      loadedAt: instant.describe("when the one in force was read"),
      routes: count,
      services: count,
    }),
    listeners: z.array(listener),
    workers: z.array(worker),
    store: z
      .strictObject({ kind: z.enum(["embedded", "redis"]), state: z.enum(["connecting", "ready", "away", "closed"]) })
      .describe("what gateways share"),
    registries: z.array(registry).describe("those that can be away"),
  })
  .meta({ id: "Status" });

const match = z.strictObject({
  path: z.string().describe("as it is written in a route file; a regex as ~ and its source"),
  methods: z.array(z.string()).describe("empty: all"),
  headers: z.array(z.string()).describe("in words, values of secret names as ***"),
  query: z.array(z.string()),
});

const backend = z.strictObject({
  service: z.string(),
  weight: z.number(),
  isValid: z.boolean().describe("false: nobody defines the service, its share answers 500"),
  plugins: z.array(z.string()).describe("its own, which run after the route's"),
});

const route = z.strictObject({
  name: z.string(),
  hostnames: z.array(z.string()).describe("empty: every host"),
  listeners: z.array(z.string()).nullable().describe("null: all"),
  isPassthrough: z.boolean().describe("bytes are passed as they are, so that there are no matches"),
  priority: z.enum(["low", "normal", "high"]),
  matches: z.array(match).describe("any of them"),
  plugins: z.array(z.string()).describe("in the order in which they run"),
  backends: z.array(backend),
  timeoutMs: z.number().describe("0: none"),
  source: z.string().describe("where it is written, as file:line"),
});

/** `/v1/routes`. */
export const routesView = z.strictObject({ routes: z.array(route) }).meta({ id: "Routes" });

/** Who was asked, and who answered in time. */
const answered = z.array(count).describe("workers that answered");
const missing = z.array(count).describe("workers that did not answer in time; what they know is not in here");

/** `/v1/services`. */
export const servicesView = z
  .strictObject({
    services: z.array(serviceView).describe("over all workers: counts as sums, of states the worst"),
    answered,
    missing,
  })
  .meta({ id: "Services" });

/** `/v1/services/{name}`. */
export const serviceDetail = z
  .strictObject({
    service: serviceView,
    workers: z
      .array(z.strictObject({ worker: count, service: serviceView }))
      .describe("what each worker knows by itself: each judges by what it saw"),
    answered,
    missing,
  })
  .meta({ id: "ServiceDetail" });

/** Every error. */
export const problemView = z
  .looseObject({
    type: z.string().regex(/^urn:torii:problem:[a-z_]+$/),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
  })
  .meta({ id: "Problem" });

export type StatusView = z.output<typeof statusView>;
export type RoutesView = z.output<typeof routesView>;
export type RouteView = z.output<typeof route>;
export type ServicesView = z.output<typeof servicesView>;
export type ServiceDetail = z.output<typeof serviceDetail>;
