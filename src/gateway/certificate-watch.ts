import type { Logger } from "pino";
import { expiryWarning, shownCertificates } from "../config/certificate-dates.ts";
import type { Config } from "../config/types.ts";
import type { Metrics } from "../telemetry/metrics.ts";

const DAY_MS = 86_400_000;

export interface CertificateWatchDeps {
  readonly log: Pick<Logger, "warn">;
  /** The configuration in force; null before the first. */
  readonly config: () => Pick<Config, "listeners"> | null;
}

/** Tells daily of certificates in force that expire soon. */
export interface CertificateWatch {
  /** Ends the daily look. */
  close(): void;
}

/** Writes a warning for each certificate that has expired or will within 14 days of a moment in epoch milliseconds. */
export function warnOfExpiry({ config, log }: CertificateWatchDeps, nowAt: number): void {
  for (const { listener, certificate } of shownCertificates(config() ?? { listeners: [] })) {
    const detail = expiryWarning(certificate.notAfterAt, nowAt);
    if (detail === null) continue;
    const { origin, names } = certificate;
    log.warn({ listener, certificate: origin, names, detail }, "certificate to be renewed");
  }
}

/** Tells when certificates in force expire as a metric, at each scrape. */
export function collectExpiry(metrics: Pick<Metrics, "collect">, config: CertificateWatchDeps["config"]): void {
  metrics.collect({
    name: "torii_certificate_expiry_timestamp_seconds",
    help: "When the certificate of a listener expires, in seconds since 1970; name is the first that it is for.",
    labels: ["listener", "name", "key_type"],
    type: "gauge",
    read: () =>
      shownCertificates(config() ?? { listeners: [] }).map(({ listener, certificate }) => ({
        labels: [listener, certificate.names[0] ?? "", certificate.keyType],
        value: certificate.notAfterAt / 1000,
      })),
  });
}

/** Begins to look daily; one process of a gateway does. Must be closed. */
export function createCertificateWatch(deps: CertificateWatchDeps): CertificateWatch {
  const timer = setInterval(() => warnOfExpiry(deps, Date.now()), DAY_MS);
  // It alone keeps no process alive.
  timer.unref();
  return { close: () => clearInterval(timer) };
}
