import * as z from "zod";

const socket = z.strictObject({ key: z.string(), fd: z.int().min(3), port: z.int() });

/** A certificate of the store, which only the supervisor reads. Never to be logged. */
const certificate = z.strictObject({ name: z.string(), cert: z.string(), key: z.string() });
const certificates = z.array(certificate).readonly();

const toWorker = z.discriminatedUnion("type", [
  /** The first one: who the worker is, what configuration it reads, and its sockets as descriptors of its own. */
  z.strictObject({
    type: z.literal("start"),
    slot: z.int().min(1),
    /** Its own among all workers that live, those that drain included. */
    seat: z.int().min(0),
    configPath: z.string().nullable(),
    /** Fingerprints of certificates that other workers serve with: they may have expired since. */
    certificatesInForce: z.array(z.string()),
    certificates,
    sockets: z.array(socket),
  }),
  z.strictObject({ type: z.literal("reload"), id: z.int(), certificates }),
  /** `isRelieved`: another worker accepts on the same sockets already; `isPatient`: the gateway goes on without it. */
  z.strictObject({ type: z.literal("drain"), isRelieved: z.boolean(), isPatient: z.boolean() }),
  z.strictObject({ type: z.literal("metrics"), id: z.int() }),
  /** For the admin API: of services, all or the one of that name; of a ledger, what is asked as JSON. */
  z.strictObject({
    type: z.literal("ask"),
    id: z.int(),
    about: z.enum(["status", "services", "limits", "ledger"]),
    name: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal("reopen_logs") }),
  /** To be answered at once. */
  z.strictObject({ type: z.literal("ping") }),
]);

/** A certificate by its name in the store. */
export type NamedCertificate = z.output<typeof certificate>;

/** What the supervisor tells a worker. */
export type ToWorker = z.output<typeof toWorker>;

const issue = z.strictObject({
  file: z.string(),
  line: z.number().nullable(),
  column: z.number().nullable(),
  field: z.string(),
  message: z.string(),
});

const fromWorker = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ready"), version: z.string() }),
  /** It cannot start; without issues, `message` says why. It ends when the channel is closed. */
  z.strictObject({ type: z.literal("fatal"), issues: z.array(issue), message: z.string() }),
  z.strictObject({ type: z.literal("reloaded"), id: z.int(), version: z.string() }),
  z.strictObject({ type: z.literal("refused"), id: z.int(), issues: z.array(issue), message: z.string() }),
  /** A piece of the metrics as text: they may be megabytes, and one message of that size would hold up requests. */
  z.strictObject({ type: z.literal("metrics_part"), id: z.int(), text: z.string() }),
  z.strictObject({ type: z.literal("metrics_end"), id: z.int() }),
  /** A piece of what was asked for: JSON, one value a line. */
  z.strictObject({ type: z.literal("answer_part"), id: z.int(), text: z.string() }),
  z.strictObject({ type: z.literal("answer_end"), id: z.int() }),
  /** `isOverloaded`: it answers, but has taken no new connections for long. */
  z.strictObject({ type: z.literal("pong"), isOverloaded: z.boolean() }),
  /** The last one, after the last metrics. It ends when the channel is closed. */
  z.strictObject({ type: z.literal("drained") }),
]);

/** What a worker tells the supervisor. */
export type FromWorker = z.output<typeof fromWorker>;

/** What a worker is asked for. */
export type Question = Pick<Extract<ToWorker, { readonly type: "ask" }>, "about" | "name">;

/** The id of metrics that nobody asked for: the last ones of a worker that ends. */
export const LAST_METRICS = 0;

/** A message from the supervisor; null for what is none. */
export function parseToWorker(message: unknown): ToWorker | null {
  return toWorker.safeParse(message).data ?? null;
}

/** A message from a worker; null for what is none. */
export function parseFromWorker(message: unknown): FromWorker | null {
  return fromWorker.safeParse(message).data ?? null;
}
