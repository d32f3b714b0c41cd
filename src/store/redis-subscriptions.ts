import type { Redis } from "ioredis";
import { createRedisSubscriber, type RedisSubscriber } from "./redis-subscriber.ts";
import type { Subscriber } from "./store.ts";
import { createTopics } from "./topics.ts";

export interface RedisSubscriptions {
  /** Follows a channel until the signal aborts; see Store. */
  follow(channel: string, subscriber: Subscriber, signal: AbortSignal): void;
  /** Makes the connection anew, as if it had been lost. */
  renew(): void;
  /** Ends all and the connection. */
  close(): void;
}

export interface RedisSubscriptionsOptions {
  /** Makes a connection that does not reconnect. The number counts the attempts that failed since the last success. */
  readonly open: (failed: number) => Redis;
  /** Milliseconds before the attempt of that number, from 1 on. */
  readonly delayMs: (attempt: number) => number;
}

/** Subscriptions over one connection, which is there while anybody follows anything, and made anew when it is lost. */
export function createRedisSubscriptions({ open, delayMs }: RedisSubscriptionsOptions): RedisSubscriptions {
  const topics = createTopics(left);
  let current: RedisSubscriber | null = null;
  let timer: NodeJS.Timeout | null = null;
  let failed = 0;

  function connect(): void {
    timer = null;
    const made = createRedisSubscriber({
      client: open(failed),
      topics,
      stood: () => {
        failed = 0;
      },
      ended: () => made === current && lost(),
    });
    current = made;
  }

  function lost(): void {
    current = null;
    failed++;
    timer = setTimeout(connect, delayMs(failed));
  }

  function left(channel: string): void {
    if (topics.channels.length > 0) current?.drop(channel);
    else end();
  }

  function end(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const ended = current;
    current = null;
    ended?.end();
  }

  return {
    follow: (channel, subscriber, signal) => {
      if (signal.aborted) return;
      const follower = topics.follow(channel, subscriber, signal);
      if (current !== null) current.add(follower);
      else if (timer === null) connect();
    },
    renew: () => current?.end(),
    close: () => {
      topics.clear();
      end();
    },
  };
}
