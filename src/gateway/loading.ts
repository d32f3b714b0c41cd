import { fingerprintsOf } from "../config/certificate-dates.ts";
import { type Loaded, type LoadOptions, loadConfig } from "../config/source.ts";
import type { Config } from "../config/types.ts";
import type { Store } from "../store/store.ts";
import { createCertificateReader, keptIn } from "./certificate-reader.ts";

/** What is there when a configuration is read. */
export interface Beside {
  /** Null before the first. */
  readonly inForce: Pick<Config, "listeners" | "services" | "redis"> | null;
  /** The store of the configuration in force, if it is open. */
  readonly store: Store | null;
}

/**
 * Loads a configuration that is to serve: certificates by name are read from its store. Of those in force one may have
 * expired, and the store may be away. Rejects with a LoadError.
 */
export async function loadToServe(
  options: Pick<LoadOptions, "path" | "env" | "cwd" | "openCatalog">,
  { inForce, store }: Beside,
): Promise<Loaded> {
  const open = store === null ? null : { store, redis: inForce?.redis ?? null };
  const reader = createCertificateReader({ open, whenAway: keptIn(inForce) });
  try {
    const certificatesInForce = inForce === null ? new Set<string>() : fingerprintsOf(inForce);
    return await loadConfig({ ...options, certificatesInForce, readCertificate: reader.read });
  } finally {
    await reader.close();
  }
}
