import { X509Certificate } from "node:crypto";
import { fingerprintOf } from "./certificate-facts.ts";
import type { CertificateConfig, Config } from "./types.ts";

const DAY_MS = 86_400_000;
const WARN_BEFORE_DAYS = 14;

/** When it begins and ends to be valid, in epoch milliseconds. */
export function datesOf(certificate: X509Certificate): { readonly notBeforeAt: number; readonly notAfterAt: number } {
  return { notBeforeAt: certificate.validFromDate.getTime(), notAfterAt: certificate.validToDate.getTime() };
}

/** A moment as it is shown to people, to the second. */
export function shownTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** Why it is not valid at a moment; null when it is. */
export function invalidity(certificate: X509Certificate, nowAt: number): string | null {
  const { notBeforeAt, notAfterAt } = datesOf(certificate);
  if (notAfterAt <= nowAt) return `expired on ${shownTime(notAfterAt)}; renew it`;
  return notBeforeAt > nowAt ? `is not valid before ${shownTime(notBeforeAt)}; look at this machine's clock` : null;
}

/** That it expires within 14 days or has expired, in words; null when there is time. */
export function expiryWarning(notAfterAt: number, nowAt: number): string | null {
  const days = Math.floor((notAfterAt - nowAt) / DAY_MS);
  if (notAfterAt <= nowAt) return `expired on ${shownTime(notAfterAt)}; renew it`;
  if (days >= WARN_BEFORE_DAYS) return null;
  return `expires on ${shownTime(notAfterAt)}, in ${days} ${days === 1 ? "day" : "days"}; renew it`;
}

/** A certificate in force, and the listener that shows it. */
export interface ShownCertificate {
  readonly listener: string;
  readonly certificate: CertificateConfig;
}

/** The certificates of all listeners, in the order of the configuration. */
export function shownCertificates({ listeners }: Pick<Config, "listeners">): readonly ShownCertificate[] {
  return listeners.flatMap(({ name, tls }) =>
    (tls?.certificates ?? []).map((certificate) => ({ listener: name, certificate })),
  );
}

function clientFingerprints({ services }: Pick<Config, "services">): readonly string[] {
  return services.flatMap(({ options: { tls } }) => {
    const pem = tls?.certPem ?? null;
    return pem === null ? [] : [fingerprintOf(new X509Certificate(pem))];
  });
}

/** Fingerprints of all certificates of a configuration: in force, they may expire and not be refused in a reload. */
export function fingerprintsOf(config: Pick<Config, "listeners" | "services">): ReadonlySet<string> {
  const own = shownCertificates(config).map(({ certificate }) => certificate.fingerprint);
  return new Set([...own, ...clientFingerprints(config)]);
}
