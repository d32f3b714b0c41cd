import * as z from "zod";
import { pluginUse } from "./route-schema.ts";
import {
  address,
  addressBlock,
  count,
  durationMs,
  filePath,
  hostname,
  later,
  nameText,
  port,
  schemaAddress,
  sizeBytes,
} from "./scalars.ts";
import { hint, NOT_BUILT, quote } from "./wording.ts";

const listener = z.strictObject({
  name: nameText("a listener", "http"),
  port,
  address: address.default("0.0.0.0"),
  hostnames: z.array(hostname).min(1).default([]),
  tls: later,
  http2: later,
  http3: later,
});

const limits = z.strictObject({
  headerBytes: sizeBytes.default(16 * 1024),
  headerCount: count(100).default(100),
  uriBytes: sizeBytes.default(8 * 1024),
  trailerBytes: sizeBytes.default(8 * 1024),
  bodyBytes: sizeBytes.optional(),
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

const workers = z.literal(1, {
  error: ({ input }) =>
    input === "auto" || (Number.isInteger(input) && Number(input) > 1)
      ? `${quote(input)} ${NOT_BUILT}; write 1`
      : hint("a number of workers", "1")({ input }),
});

// Empty means embedded, and `${REDIS_URL:-}` is how one says that.
const redis = z.literal(["", null], {
  error: `${NOT_BUILT}; leave it empty, everything then runs on the embedded store`,
});

/** `torii.yaml`. Its input is what a user writes; its output has all defaults, milliseconds and bytes. */
export const gatewaySchema = z
  .strictObject({
    listeners: z
      .array(listener)
      .min(1)
      .prefault([{ name: "http", port: 8080 }]),
    redis: redis.optional(),
    routes: filePath.default("routes/"),
    plugins: filePath.optional(),
    trustedProxies: z.array(addressBlock).default([]),
    defaults: defaults.prefault({}),
    limits: limits.prefault({}),
    admin: later,
    status: status.prefault({}),
    telemetry: telemetry.prefault({}),
    workers: workers.default(1),
    shutdown: shutdown.prefault({}),
    $schema: schemaAddress,
  })
  .meta({ title: "torii.yaml", description: "The gateway itself: listeners, limits, and where its routes stand." });

/** What `gatewaySchema` gives. */
export type GatewayDocument = z.output<typeof gatewaySchema>;
