import type { ReadCertificate } from "../config/certificate-store.ts";
import type { NamedCertificate } from "./message.ts";

/** What the supervisor read from the store: workers serve with the same, and start also while the store is away. */
export interface WorkerCertificates {
  readonly read: ReadCertificate;
  /** Takes these in place of what was told before. */
  take(certificates: readonly NamedCertificate[]): void;
}

/** The supervisor reads the configuration first: it can only be too late for an edit in between, which it reads next. */
const UNTOLD = { fault: "was named a moment ago and has not been read yet; it is read again at once" };

/** What was told at the start. */
export function createWorkerCertificates(told: readonly NamedCertificate[]): WorkerCertificates {
  let byName = new Map<string, NamedCertificate>();
  const take = (certificates: readonly NamedCertificate[]): void => {
    byName = new Map(certificates.map((one) => [one.name, one]));
  };
  take(told);
  return { read: async (name) => byName.get(name) ?? UNTOLD, take };
}
