import * as z from "zod";
import { isHostAndPort, isRedisUrl } from "./redis-address.ts";
import { nameText } from "./scalars.ts";
import { hint } from "./wording.ts";

const urlHint = hint("the URL of a Redis", "redis://host:6379 or rediss://host:6379");
const url = z.string({ error: urlHint }).refine(isRedisUrl, { error: urlHint });

const hostHint = hint("the address of a server", "host:port, such as 10.0.0.7:6379");
const hosts = z.array(z.string({ error: hostHint }).refine(isHostAndPort, { error: hostHint })).min(1);

const FORMS = "redis://host:6379, { url }, { sentinels: [host:port], name } or { cluster: [host:port] }";

// Empty means embedded, and `${REDIS_URL:-}` is how one says that.
const text = z.string({ error: urlHint }).refine((given) => given === "" || isRedisUrl(given), { error: urlHint });

/** Where the shared store is; empty for none. */
export const redisSchema = z.union(
  [
    z.null(),
    text,
    z.strictObject({ url }),
    z.strictObject({
      sentinels: hosts,
      name: nameText("the master that the sentinels watch", "mymaster"),
      password: z.string().min(1).optional(),
    }),
    z.strictObject({ cluster: hosts }),
  ],
  { error: hint("a Redis", FORMS) },
);

/** What `redisSchema` gives. */
export type RedisDocument = z.output<typeof redisSchema>;
