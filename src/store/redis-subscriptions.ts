import type { Redis } from "ioredis";
import type { Subscriber } from "./store.ts";
import { createTopics, type Follower } from "./topics.ts";

export interface RedisSubscriptions {
  /** Follows a channel until the signal aborts; see Store. */
  follow(channel: string, subscriber: Subscriber, signal: AbortSignal): void;
  /** Ends all and the connection. */
  close(): void;
}

export interface RedisSubscriptionsOptions {
  /** Makes a connection that does not reconnect. The number counts the attempts that failed since the last success. */
  readonly open: (failed: number) => Redis;
  /** Milliseconds before the attempt of that number, from 1 on. */
  readonly delayMs: (attempt: number) => number;
}

/** So often a silent connection is asked whether it is still there. */
const PING_MS = 5000;

/** Subscriptions over one connection, which is there while anybody follows anything, and made anew when it is lost. */
export function createRedisSubscriptions({ open, delayMs }: RedisSubscriptionsOptions): RedisSubscriptions {
  const topics = createTopics(left);
  /** Channels that were asked for on this connection, and whether Redis has confirmed it. */
  const standing = new Map<string, boolean>();
  let client: Redis | null = null;
  let timer: NodeJS.Timeout | null = null;
  let failed = 0;

  function connect(): void {
    timer = null;
    const opened = open(failed);
    client = opened;
    opened.on("ready", () => topics.channels.forEach(ask));
    opened.on("message", (channel: string, text: string) => {
      for (const follower of topics.followers(channel)) follower.message(text);
    });
    // The `end` that follows says all there is to do.
    opened.on("error", () => {});
    opened.on("end", () => opened === client && lost());
    const pings = setInterval(() => void opened.ping().catch(() => {}), PING_MS);
    pings.unref();
    opened.on("end", () => clearInterval(pings));
  }

  function lost(): void {
    client = null;
    standing.clear();
    failed++;
    if (topics.channels.length > 0) timer = setTimeout(connect, delayMs(failed));
  }

  function ask(channel: string): void {
    const asked = client;
    if (asked?.status !== "ready") return;
    standing.set(channel, false);
    asked.subscribe(channel).then(
      () => asked === client && confirm(channel),
      () => asked.disconnect(),
    );
  }

  function confirm(channel: string): void {
    failed = 0;
    if (!standing.has(channel)) return;
    standing.set(channel, true);
    for (const follower of topics.followers(channel)) follower.gap();
  }

  function left(channel: string): void {
    if (topics.channels.length === 0) {
      disconnect();
      return;
    }
    if (standing.delete(channel)) client?.unsubscribe(channel).catch(() => {});
  }

  function disconnect(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    standing.clear();
    const ended = client;
    client = null;
    ended?.disconnect();
  }

  function added(follower: Follower): void {
    const state = standing.get(follower.channel);
    if (state === true) queueMicrotask(() => follower.gap());
    else if (state === undefined) ask(follower.channel);
    if (client === null && timer === null) connect();
  }

  return {
    follow: (channel, subscriber, signal) => {
      if (!signal.aborted) added(topics.follow(channel, subscriber, signal));
    },
    close: () => {
      topics.clear();
      disconnect();
    },
  };
}
