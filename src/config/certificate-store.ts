import { createHash } from "node:crypto";
import { addFault } from "./building.ts";
import { shownCertificates } from "./certificate-dates.ts";
import type { Vetting } from "./certificate-pair.ts";
import { placeOf, type Spot } from "./check.ts";
import type { PemAt } from "./pem-files.ts";
import type { Config, RedisConfig } from "./types.ts";

/** A certificate and its key, as PEM texts. */
export interface StoredPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * What became of the look for a certificate in the store; null: there is none of this name. `warning`: it is the one
 * in force, because the store did not answer. `fault`: what stands there is no pair. `skipped`: why nobody looked.
 * Each text goes on a sentence that began with the certificate's name.
 */
export type StoredCertificate =
  | (StoredPair & { readonly warning?: string })
  | { readonly fault: string }
  | { readonly skipped: string }
  | null;

/** Reads a certificate from the store. Rejects when the store does not answer. */
export type ReadCertificate = (name: string, redis: RedisConfig) => Promise<StoredCertificate>;

/** What was read for a configuration from the store, so that a change of it can be told. */
export interface StoredMarks {
  /** Where it was read; null: no store is configured. */
  readonly redis: RedisConfig | null;
  /** A mark for each name that was asked for; null where the store did not answer. */
  readonly marks: ReadonlyMap<string, string | null>;
}

type Found = StoredCertificate | { readonly failure: string };

/** Where certificates by name come from. Made once for each loading. */
export interface StoredCertificates {
  readonly redis: RedisConfig | null;
  /** `skipped`: whoever loads reaches no store; what stands there is a warning instead. */
  readonly read: ReadCertificate | "skipped" | null;
  /** What was found, by name: all who name it see the same. */
  readonly found: Map<string, Found>;
}

/** A text that differs when what the store holds differs, and does not tell what it is. */
export function storedMark(found: StoredCertificate): string | null {
  if (found !== null && ("skipped" in found || ("warning" in found && found.warning !== undefined))) return null;
  const parts = found === null ? [] : "fault" in found ? [found.fault] : [found.cert, found.key];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** The marks of all that was asked for. */
export function storedMarks({ redis, found }: StoredCertificates): StoredMarks {
  const marks = [...found].map(
    ([name, one]) => [name, one !== null && "failure" in one ? null : storedMark(one)] as const,
  );
  return { redis, marks: new Map(marks) };
}

/** The certificates of a configuration that came from the store, by their names there. */
export function storedPairs(config: Pick<Config, "listeners">): ReadonlyMap<string, StoredPair> {
  return new Map(
    shownCertificates(config).flatMap(({ certificate: { storeName, certPem, keyPem } }) =>
      storeName === null ? [] : [[storeName, { cert: certPem, key: keyPem }] as const],
    ),
  );
}

async function look(name: string, redis: RedisConfig, read: ReadCertificate): Promise<Found> {
  try {
    return await read(name, redis);
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
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
  const warn = (message: string) => {
    vetting.warnings.push({ ...placeOf(spot), message: `${origin} ${message}` });
    return null;
  };
  const { redis, read } = stored;
  if (redis === null) return refuse("needs redis, where certificates by name stand; set redis, or write { cert, key }");
  if (read === null) return refuse("cannot be had, as nothing here reads the store; write { cert, key }");
  if (read === "skipped") return warn("was not looked at: only a running gateway reads it");
  const found = stored.found.get(name) ?? (await look(name, redis, read));
  stored.found.set(name, found);
  if (found === null)
    return refuse(`${origin} does not exist; set the key torii:certificates:${name} in Redis, or correct the name`);
  if ("failure" in found) return refuse(`${origin} cannot be read (${found.failure}); look whether Redis is reachable`);
  if ("fault" in found) return refuse(`${origin} ${found.fault}`);
  if ("skipped" in found) return warn(`was not looked at: ${found.skipped}`);
  if (found.warning !== undefined) warn(found.warning);
  const at = { origin, spot };
  return { cert: { ...at, text: found.cert }, key: { ...at, text: found.key } };
}
