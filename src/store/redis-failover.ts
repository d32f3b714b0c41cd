import { createServerClient, type RedisClientOptions, sentinelServer } from "./redis-client.ts";
import { createRedisSubscriptions } from "./redis-subscriptions.ts";

export interface FailoverWatch {
  close(): void;
}

/**
 * Listens to all sentinels, if there are any, and calls when they have made another server the master. The old one may
 * still live, and take writes for some seconds that will be lost: its connections must be left at once. (ioredis has a
 * detector of its own, whose connections write their errors to standard error.)
 */
export function watchFailovers(
  { target, silenceMs, delayMs }: RedisClientOptions,
  switched: () => void,
): FailoverWatch {
  if (!("sentinels" in target)) return { close: () => {} };
  const abort = new AbortController();
  let last = "";
  const subscriber = {
    /** `name old-address old-port new-address new-port`; each sentinel says so. */
    message: (text: string) => {
      if (!text.startsWith(`${target.name} `) || text === last) return;
      last = text;
      switched();
    },
    gap: () => {},
  };
  const watches = target.sentinels.map((sentinel) => {
    const open = () => createServerClient(sentinelServer(sentinel, target), silenceMs);
    const watch = createRedisSubscriptions({ open, delayMs });
    watch.follow("+switch-master", subscriber, abort.signal);
    return watch;
  });
  return {
    close: () => {
      abort.abort();
      for (const watch of watches) watch.close();
    },
  };
}
