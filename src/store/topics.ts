import type { Subscriber } from "./store.ts";

/** One subscriber of one channel, until its signal aborts. */
export interface Follower {
  readonly channel: string;
  /** Passed on to the subscriber, unless its signal has aborted. */
  message(text: string): void;
  gap(): void;
}

/** Who follows which channel. */
export interface Topics {
  /** Channels that anybody follows. */
  readonly channels: readonly string[];
  /** Who follows a channel now, in the order in which they came. */
  followers(channel: string): readonly Follower[];
  /** Adds a follower; one whose signal has aborted is none. */
  follow(channel: string, subscriber: Subscriber, signal: AbortSignal): Follower;
  /** Ends all, as if their signals had aborted. */
  clear(): void;
}

/** `left` is told the channel that nobody follows any more. */
export function createTopics(left: (channel: string) => void = () => {}): Topics {
  const topics = new Map<string, Set<Follower>>();
  const enders = new Set<() => void>();

  function add(follower: Follower): void {
    const followers = topics.get(follower.channel) ?? new Set<Follower>();
    followers.add(follower);
    topics.set(follower.channel, followers);
  }

  function remove(follower: Follower): void {
    const followers = topics.get(follower.channel);
    if (!followers?.delete(follower) || followers.size > 0) return;
    topics.delete(follower.channel);
    left(follower.channel);
  }

  function follow(channel: string, subscriber: Subscriber, signal: AbortSignal): Follower {
    let isLive = !signal.aborted;
    const follower: Follower = {
      channel,
      message: (text) => isLive && subscriber.message(text),
      gap: () => isLive && subscriber.gap(),
    };
    if (!isLive) return follower;
    const end = (): void => {
      isLive = false;
      enders.delete(end);
      signal.removeEventListener("abort", end);
      remove(follower);
    };
    enders.add(end);
    signal.addEventListener("abort", end);
    add(follower);
    return follower;
  }

  return {
    get channels() {
      return [...topics.keys()];
    },
    followers: (channel) => [...(topics.get(channel) ?? [])],
    follow,
    clear: () => {
      for (const end of [...enders]) end();
    },
  };
}
