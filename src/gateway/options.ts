import type { Logger } from "pino";
import type { OpenCatalog } from "../config/catalog.ts";
import type { ReadCertificate } from "../config/certificate-store.ts";
import type { Loaded } from "../config/source.ts";
import type { ListenerConfig } from "../config/types.ts";
import type { MemoryRegistry } from "../registry/memory.ts";
import type { HandedSocket } from "./listeners.ts";

/** What a gateway is started with. */
export interface GatewayOptions {
  /** `torii.yaml` or what stands for it; null: the one in `cwd`, and defaults without one. */
  readonly configPath: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly version: string;
  readonly log: Logger;
  readonly openCatalog: OpenCatalog;
  /** Endpoints that register themselves in this process. The caller closes it. */
  readonly registry: MemoryRegistry;
  /** Where the access log goes without a path in the configuration; 1 unless given. */
  readonly accessLogFd?: number;
  readonly random?: () => number;
  /** The first configuration, when it was read already. */
  readonly loaded?: Loaded;
  /** Fingerprints of certificates that others serve with already: they may have expired. */
  readonly certificatesInForce?: ReadonlySet<string>;
  /** For a process that is one of several: another one watches the files, answers probes and owns the sockets. */
  readonly supervised?: Supervised;
}

/** What a gateway gets from the process above it. */
export interface Supervised {
  /** A descriptor for this listener, which the gateway closes; null when none was handed over. */
  socketFor(listener: ListenerConfig): HandedSocket | null;
  /** Tells what the store holds, which only the process above reads. */
  readonly readCertificate: ReadCertificate;
  /** Of no other process of this gateway that lives. */
  readonly seat: number;
}
