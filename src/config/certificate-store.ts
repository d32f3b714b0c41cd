import { addFault } from "./building.ts";
import type { Vetting } from "./certificate-pair.ts";
import { placeOf, type Spot } from "./check.ts";
import type { PemAt } from "./pem-files.ts";
import type { RedisConfig } from "./types.ts";

/** Reads a certificate and its key, PEM texts, from the store; null when it holds none of this name. */
export type ReadCertificate = (
  name: string,
  redis: RedisConfig,
) => Promise<{ readonly cert: string; readonly key: string } | null>;

/** Where certificates by name come from. */
export interface StoredCertificates {
  readonly redis: RedisConfig | null;
  /** `skipped`: whoever loads reaches no store; what stands there is a warning instead. */
  readonly read: ReadCertificate | "skipped" | null;
}

/** The texts of a certificate in the store; null, with a fault or a warning, when they cannot be had. */
export async function storedPair(
  name: string,
  spot: Spot,
  { stored, vetting }: { readonly stored: StoredCertificates; readonly vetting: Vetting },
): Promise<{ readonly cert: PemAt; readonly key: PemAt } | null> {
  const origin = `store ${name}`;
  const refuse = (message: string) => {
    addFault(vetting, spot, message);
    return null;
  };
  const { redis, read } = stored;
  if (redis === null) return refuse("needs redis, where certificates by name stand; set redis, or write { cert, key }");
  if (read === null) return refuse("cannot be had, as nothing here reads the store; write { cert, key }");
  if (read === "skipped") {
    vetting.warnings.push({
      ...placeOf(spot),
      message: `${origin} was not looked at: only a running gateway reads it`,
    });
    return null;
  }
  try {
    const found = await read(name, redis);
    if (found === null) return refuse(`${origin} does not exist; put it there, or correct the name`);
    const at = { origin, spot };
    return { cert: { ...at, text: found.cert }, key: { ...at, text: found.key } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(`${origin} cannot be read (${reason}); look whether Redis is reachable`);
  }
}
