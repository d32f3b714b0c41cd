import { createHash } from "node:crypto";
import { Redis, type RedisOptions } from "ioredis";
import type { LinkCall, LinkScript, WriteLink } from "./writer.ts";

/** A client of ioredis, whichever: of one server, of a master behind sentinels, or of a Cluster. */
export interface MeshRedis {
  call(command: string, args: string[]): Promise<unknown>;
}

/** Where Redis is: a URL, what ioredis takes (TLS, users, sentinels), or a client that is there already. */
export type RedisSource = string | RedisOptions | MeshRedis;

/** Writes over a client. */
export interface ClientLink extends WriteLink {
  /** From now on the connection, if it is the link's own, holds the process up. */
  hold(): void;
  /** Nothing more is sent; a connection of the link's own ends. */
  close(): void;
}

export interface ClientLinkOptions {
  /** Stands before every key. */
  readonly prefix: string;
  /** Whether the connection holds the process up. */
  readonly holdsProcess: boolean;
  /** A connection of the link's own was lost. */
  readonly onLost: () => void;
}

const ANSWER_MS = 2000;

const DEFAULTS = {
  connectionName: "torii-mesh",
  connectTimeout: ANSWER_MS,
  // A connection on which an answer is due and nothing comes is made anew.
  socketTimeout: ANSWER_MS,
  disconnectTimeout: 100,
} satisfies RedisOptions;

/** Whoever writes says when to try again: nothing waits in a queue, and nothing is sent a second time. */
const FORCED = {
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  // A master that became a replica: the connection must find the new one.
  reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
} satisfies RedisOptions;

export function isClient(redis: RedisSource): redis is MeshRedis {
  return typeof redis !== "string" && "call" in redis && typeof redis.call === "function";
}

async function runOver(client: MeshRedis, { lua }: LinkScript, words: readonly string[]): Promise<unknown> {
  const digest = createHash("sha1").update(lua).digest("hex");
  try {
    return await client.call("EVALSHA", [digest, ...words]);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return await client.call("EVAL", [lua, ...words]);
  }
}

/** A connection of our own, which is made when something is to be sent and there is none. */
function ownClient(redis: string | RedisOptions, { holdsProcess, onLost }: ClientLinkOptions) {
  // How ioredis maps replies is none of ours: they are numbers.
  const { replyMapping: _, ...given } = typeof redis === "string" ? {} : redis;
  const options = { ...DEFAULTS, ...given, ...FORCED };
  const client = typeof redis === "string" ? new Redis(redis, options) : new Redis(options);
  let isHolding = holdsProcess;
  let reason: unknown = null;
  let connecting: Promise<void> | null = null;
  client.on("error", (error) => {
    reason = error;
  });
  client.on("ready", () => {
    reason = null;
  });
  client.on("connect", () => {
    if (!isHolding) client.stream.unref();
  });
  client.on("end", onLost);

  async function connect(): Promise<void> {
    try {
      await client.connect();
    } finally {
      connecting = null;
    }
  }

  async function call(command: string, args: string[]): Promise<unknown> {
    try {
      if (client.status === "wait" || client.status === "end") connecting ??= connect();
      await connecting;
      return await client.call(command, args);
    } catch (error) {
      // Of a lost connection ioredis says only that it is closed.
      const isReply = error instanceof Error && error.name === "ReplyError";
      throw isReply ? error : (reason ?? error);
    }
  }

  return {
    call,
    hold: () => {
      isHolding = true;
      if (client.status === "ready") client.stream.ref();
    },
    close: () => {
      client.off("end", onLost);
      client.disconnect();
    },
  };
}

/** Lends a client to the writer; `close` it. Throws what ioredis throws at options that it refuses. */
export function createClientLink(redis: RedisSource, options: ClientLinkOptions): ClientLink {
  const client = isClient(redis)
    ? { call: (command: string, args: string[]) => redis.call(command, args), hold: () => {}, close: () => {} }
    : ownClient(redis, options);
  let isClosed = false;

  // One that waits in somebody's queue is not sent by its text when it comes back too late.
  const guarded: MeshRedis = {
    call: async (command, args) => {
      if (isClosed) throw new Error("the service has left the mesh");
      return await client.call(command, args);
    },
  };

  return {
    run: (script: LinkScript, { keys, args }: LinkCall) =>
      runOver(guarded, script, [String(keys.length), ...keys.map((key) => options.prefix + key), ...args]),
    hold: client.hold,
    close: () => {
      isClosed = true;
      client.close();
    },
  };
}
