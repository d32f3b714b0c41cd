import type { RedisAccess, RedisTls } from "../store/redis-target.ts";
import { addFault } from "./building.ts";
import { below, type Spot } from "./check.ts";
import type { RedisDocument } from "./redis-schema.ts";
import { upstreamTls } from "./service-tls.ts";
import type { TlsReading } from "./tls-config.ts";
import type { RedisConfig } from "./types.ts";

type Reading = Pick<TlsReading, "pem" | "vetting">;
type Written = Exclude<RedisDocument, null | string>;

const DEFAULTS: RedisTls = { caPem: null, serverName: null, certPem: null, keyPem: null };

function tlsOf(written: Written["tls"], spot: Spot, reading: Reading): RedisTls | null {
  if (written === undefined) return null;
  return written === true ? DEFAULTS : (upstreamTls(written, spot, reading) ?? DEFAULTS);
}

/** Adds a fault for a user without a password: Redis is told none then. */
function checkUser(written: Written, names: readonly [user: string, password: string], at: Place): void {
  const [user, password] = names;
  const given = new Map<string, unknown>(Object.entries(written));
  if (given.get(user) === undefined || given.get(password) !== undefined) return;
  addFault(at.reading.vetting, below(at.spot, user), `stands without ${password}; write both, or only the password`);
}

interface Place {
  readonly spot: Spot;
  readonly reading: Reading;
}

function accessOf(written: Written, { spot, reading }: Place): RedisAccess {
  const tls = tlsOf(written.tls, below(spot, "tls"), reading);
  return {
    ...(tls === null ? {} : { tls }),
    ...(written.prefix === undefined ? {} : { prefix: written.prefix }),
  };
}

function checkUrl(written: Extract<Written, { readonly url: string }>, { spot, reading }: Place): void {
  if (written.tls === undefined || written.url.startsWith("rediss:")) return;
  addFault(reading.vetting, below(spot, "tls"), "goes with rediss:// only; write that in url, or remove it");
}

/** The Redis that is written at `spot`, its certificates read and judged; null for none. */
export function redisConfig(written: RedisDocument | undefined, spot: Spot, reading: Reading): RedisConfig | null {
  if (written === undefined || written === null || written === "") return null;
  if (typeof written === "string") return { url: written };
  const at = { spot, reading };
  const access = accessOf(written, at);
  if ("url" in written) {
    checkUrl(written, at);
    return { url: written.url, ...access };
  }
  checkUser(written, ["username", "password"], at);
  const { username = null, password = null } = written;
  if ("cluster" in written) return { cluster: written.cluster, username, password, ...access };
  checkUser(written, ["sentinelUsername", "sentinelPassword"], at);
  const { sentinels, name, sentinelUsername = null, sentinelPassword = null } = written;
  return { sentinels, name, username, password, sentinelUsername, sentinelPassword, ...access };
}
