import type { Redis } from "ioredis";
import type { Follower, Topics } from "./topics.ts";

/** One connection on which channels are followed, from its making to its end. */
export interface RedisSubscriber {
  /** Follows a channel, as soon as the connection stands; a follower of one that is followed already learns that. */
  add(follower: Follower): void;
  /** Follows a channel no longer. */
  drop(channel: string): void;
  /** Ends it; `ended` is called, unless that has happened. */
  end(): void;
}

export interface RedisSubscriberOptions {
  /** Just made, and does not reconnect. */
  readonly client: Redis;
  readonly topics: Topics;
  /** A channel stands: those who follow it have been told. */
  readonly stood: () => void;
  readonly ended: () => void;
}

/** So often a silent connection is asked whether it is still there. */
const PING_MS = 5000;

/** Follows all channels of the topics over this client. */
export function createRedisSubscriber({ client, topics, stood, ended }: RedisSubscriberOptions): RedisSubscriber {
  /** Channels that were asked for, and whether Redis has confirmed it. */
  const standing = new Map<string, boolean>();
  const pings = setInterval(() => void client.ping().catch(() => {}), PING_MS);
  pings.unref();

  client.on("ready", () => topics.channels.forEach(ask));
  client.on("message", (channel: string, text: string) => {
    for (const follower of topics.followers(channel)) follower.message(text);
  });
  // The `end` that follows says all there is to do.
  client.on("error", () => {});
  client.on("end", () => {
    clearInterval(pings);
    standing.clear();
    ended();
  });

  function ask(channel: string): void {
    if (client.status !== "ready") return;
    standing.set(channel, false);
    client.subscribe(channel).then(
      () => confirm(channel),
      () => client.disconnect(),
    );
  }

  function confirm(channel: string): void {
    stood();
    if (!standing.has(channel)) return;
    standing.set(channel, true);
    for (const follower of topics.followers(channel)) follower.gap();
  }

  return {
    add: (follower) => {
      const isStanding = standing.get(follower.channel);
      if (isStanding === undefined) ask(follower.channel);
      else if (isStanding) queueMicrotask(() => follower.gap());
    },
    drop: (channel) => {
      if (standing.delete(channel)) client.unsubscribe(channel).catch(() => {});
    },
    end: () => client.disconnect(),
  };
}
