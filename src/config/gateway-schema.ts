import * as z from "zod";
import { adminSchema } from "./admin-schema.ts";
import { ownZone } from "./endpoint-facts.ts";
import { listenerSchema } from "./listener-schema.ts";
import { redisSchema } from "./redis-schema.ts";
import { pluginUse } from "./route-schema.ts";
import {
  address,
  addressBlock,
  count,
  durationMs,
  filePath,
  later,
  port,
  schemaAddress,
  sizeBytes,
} from "./scalars.ts";
import { stateSchema } from "./state-folder.ts";
import { hint } from "./wording.ts";

const limits = z.strictObject({
  headerBytes: sizeBytes.default(16 * 1024),
  headerCount: count(100).default(100),
  uriBytes: sizeBytes.default(8 * 1024),
  trailerBytes: sizeBytes.default(8 * 1024),
  bodyBytes: sizeBytes.optional(),
  bodyMinRate: sizeBytes.refine((bytes) => bytes > 0, { error: "is no rate; leave it out for no bound" }).optional(),
  connections: count(10_000).default(10_000),
  connectionsPerClient: count(100).optional(),
  headerTimeout: durationMs.default(10_000),
  idleTimeout: durationMs.default(60_000),
});

const defaults = z.strictObject({
  timeout: durationMs.default(15_000),
  plugins: z.array(pluginUse).default([]),
});

const status = z.strictObject({ port: port.default(9902), address: address.default("0.0.0.0") });

const accessLog = z.strictObject({ enabled: z.boolean().default(true), path: filePath.optional() });

const telemetry = z.strictObject({ accessLog: accessLog.prefault({}), tracing: later });

const shutdown = z.strictObject({ delay: durationMs.default(5000), timeout: durationMs.default(30_000) });

const workersHint = hint("a number of workers", "a whole number from 1, or auto");
const workers = z.union(
  [
    z.int({ error: workersHint }).min(1, { error: workersHint }).max(256, { error: workersHint }),
    z.literal("auto", { error: workersHint }),
  ],
  { error: workersHint },
);

const overload = z.strictObject({ memory: sizeBytes.optional(), lag: durationMs.optional() });

/** `torii.yaml`. Its input is what a user writes; its output has all defaults, milliseconds and bytes. */
export const gatewaySchema = z
  .strictObject({
    listeners: z
      .array(listenerSchema)
      .min(1)
      .prefault([{ name: "http", port: 8080 }]),
    redis: redisSchema.optional(),
    zone: ownZone.optional(),
    state: stateSchema,
    routes: filePath.default("routes/"),
    plugins: filePath.optional(),
    trustedProxies: z.array(addressBlock).default([]),
    defaults: defaults.prefault({}),
    limits: limits.prefault({}),
    overload: overload.prefault({}),
    admin: adminSchema.optional(),
    status: status.prefault({}),
    telemetry: telemetry.prefault({}),
    workers: workers.default(1),
    shutdown: shutdown.prefault({}),
    $schema: schemaAddress,
  })
  .meta({ title: "torii.yaml", description: "The gateway itself: listeners, limits, and where its routes stand." });

/** What `gatewaySchema` gives. */
export type GatewayDocument = z.output<typeof gatewaySchema>;
