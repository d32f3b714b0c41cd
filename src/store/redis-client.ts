import { Cluster, Redis, type RedisOptions } from "ioredis";
import { boundReplies } from "./redis-bound.ts";
import { accessOptions, type RedisServer, type RedisTarget, redisServer, type SentinelTarget } from "./redis-target.ts";

/** What calls go over: one server's client, or a Cluster's. */
export type RedisClient = Redis | Cluster;

export interface RedisClientOptions {
  readonly target: RedisTarget;
  /** A connection on which an answer is due and nothing comes for so long is given up and made anew. */
  readonly silenceMs: number;
  /** Milliseconds before the attempt of that number, from 1 on. */
  readonly delayMs: (attempt: number) => number;
}

const CONNECT_TIMEOUT_MS = 2000;
const CLUSTER_RETRY_MS = 50;
/** How long a connection that is given up may take to end. The timer runs on, and holds the process up, also after one that has ended. */
const END_MS = 100;

function commonOptions(silenceMs: number) {
  return {
    connectionName: "torii",
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: END_MS,
    socketTimeout: silenceMs,
    // What was in flight when the connection was lost may have run: only its caller can say whether to repeat it.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    // A master that became a replica: the connection must find the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
}

/** A sentinel by its text, and as whom to speak to it. */
export function sentinelServer(text: string, target: SentinelTarget): RedisServer {
  const { sentinelUsername: username = null, sentinelPassword: password = null, tls = null } = target;
  const server = redisServer(text);
  return { ...server, ...accessOptions({ username, password, tls }, server) };
}

function sentinelOptions(target: SentinelTarget, delayMs: (attempt: number) => number) {
  const servers = target.sentinels.map((text) => sentinelServer(text, target));
  const [first] = servers;
  return {
    sentinels: servers.map(({ host, port }) => ({ host, port })),
    name: target.name,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: delayMs,
    ...accessOptions(target),
    ...(first?.username === undefined ? {} : { sentinelUsername: first.username }),
    ...(first?.password === undefined ? {} : { sentinelPassword: first.password }),
    ...(first?.tls === undefined ? {} : { tls: first.tls, sentinelTLS: first.tls, enableTLSForSentinelMode: true }),
  } satisfies RedisOptions;
}

function clusterServers(target: Extract<RedisTarget, { readonly cluster: readonly string[] }>) {
  const servers = target.cluster.map(redisServer);
  // What all servers of a Cluster have in common, as the target or the first that is named has it.
  return { servers, common: accessOptions(target, servers[0]) };
}

function singleServer(target: Extract<RedisTarget, { readonly url: string }>): RedisServer {
  const server = redisServer(target.url);
  return { ...server, ...accessOptions(target, server) };
}

/**
 * A client for calls, which connects at once and reconnects for ever. It queues nothing while it is not connected.
 * `disconnect` it in the end. Whoever makes it listens to its `error` events.
 */
export function createRedisClient({ target, silenceMs, delayMs }: RedisClientOptions): RedisClient {
  const common = { ...commonOptions(silenceMs), enableOfflineQueue: false, retryStrategy: delayMs };
  if ("url" in target) return boundReplies(new Redis({ ...common, ...singleServer(target) }));
  if ("sentinels" in target) return boundReplies(new Redis({ ...common, ...sentinelOptions(target, delayMs) }));
  const { servers, common: shared } = clusterServers(target);
  const cluster = new Cluster(servers, {
    enableOfflineQueue: false,
    clusterRetryStrategy: delayMs,
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    retryDelayOnTryAgain: CLUSTER_RETRY_MS,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    redisOptions: { ...commonOptions(silenceMs), ...shared },
  });
  return boundReplies(cluster);
}

/** A client for what a single server publishes, which makes one attempt and reports its `end`. */
export function createServerClient(server: RedisServer, silenceMs: number): Redis {
  return boundReplies(new Redis({ ...commonOptions(silenceMs), retryStrategy: null, ...server }));
}

/**
 * A client for subscriptions, which makes one attempt and reports its `end`. Of a Cluster any server will do, as each
 * passes every message on: the attempts go through those that the other client knows and those that were named.
 */
export function createSubscriberClient(options: RedisClientOptions, calls: RedisClient, attempt: number): Redis {
  const { target, silenceMs, delayMs } = options;
  const common = { ...commonOptions(silenceMs), retryStrategy: null };
  if ("url" in target) return boundReplies(new Redis({ ...common, ...singleServer(target) }));
  if ("sentinels" in target) {
    const asked = { ...common, ...sentinelOptions(target, delayMs), sentinelRetryStrategy: () => null };
    return boundReplies(new Redis(asked));
  }
  const { servers, common: shared } = clusterServers(target);
  const known = calls instanceof Cluster ? calls.nodes().map(({ options: { host, port } }) => ({ host, port })) : [];
  const all = [...known, ...servers];
  const { host, port } = all[attempt % all.length] ?? {};
  const server = host === undefined || port === undefined ? {} : { host, port };
  return boundReplies(new Redis({ ...common, ...shared, ...server }));
}
