import * as z from "zod";
import { isHostAndPort, isRedisUrl } from "./redis-address.ts";
import { nameText } from "./scalars.ts";
import { upstreamTlsSchema } from "./upstream-tls-schema.ts";
import { hint } from "./wording.ts";

const urlHint = hint("the URL of a Redis", "redis://host:6379 or rediss://host:6379");
const url = z.string({ error: urlHint }).refine(isRedisUrl, { error: urlHint });

const hostHint = hint("the address of a server", "host:port, such as 10.0.0.7:6379");
const hosts = z.array(z.string({ error: hostHint }).refine(isHostAndPort, { error: hostHint })).min(1);

const FORMS = "redis://host:6379, { url }, { sentinels: [host:port], name } or { cluster: [host:port] }";

// Empty means embedded, and `${REDIS_URL:-}` is how one says that.
const text = z.string({ error: urlHint }).refine((given) => given === "" || isRedisUrl(given), { error: urlHint });

// Braces would move the part of a key that decides where in a Cluster it stands.
const prefixHint = hint("a prefix of keys", 'up to 64 letters, digits, ".", "_", "-", "/" and ":", for example torii:');
const prefix = z.string({ error: prefixHint }).regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/, { error: prefixHint });

const tlsHint = hint("a way to speak TLS", "true, or { ca, cert, key, serverName }");
const tls = z.union([z.literal(true, { error: tlsHint }), upstreamTlsSchema], { error: tlsHint });
const access = { tls: tls.optional(), prefix: prefix.optional() };
const credential = z.string().min(1).optional();
const user = { username: credential, password: credential };

/** Where the shared store is; empty for none. */
export const redisSchema = z.union(
  [
    z.null(),
    text,
    z.strictObject({ url, ...access }),
    z.strictObject({
      sentinels: hosts,
      name: nameText("the master that the sentinels watch", "mymaster"),
      ...user,
      sentinelUsername: credential,
      sentinelPassword: credential,
      ...access,
    }),
    z.strictObject({ cluster: hosts, ...user, ...access }),
  ],
  { error: hint("a Redis", FORMS) },
);

/** What `redisSchema` gives. */
export type RedisDocument = z.output<typeof redisSchema>;
