import { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import * as z from "zod";
import { definePlugin } from "../../src/plugin.ts";

const options = z.strictObject({ redis: z.string(), limit: z.number(), perSeconds: z.number() });

/** What a user writes who limits by rate-limiter-flexible: counts requests by the client's address, in Redis. */
export default definePlugin({
  name: "bench-flexible",
  options,
  create: ({ redis, limit, perSeconds }) => {
    const storeClient = new Redis(redis);
    const limiter = new RateLimiterRedis({ storeClient, points: limit, duration: perSeconds });
    return async (context, next) => {
      const { address } = context.env.client;
      // Whoever is refused gets a rejection that is no Error.
      const isAdmitted = await limiter.consume(address).then(
        () => true,
        () => false,
      );
      if (!isAdmitted) return context.text("too many requests", 429);
      return await next();
    };
  },
});
