import type { Logger } from "pino";
import type { ReadyReason } from "../admin/status.ts";
import type { OpenCatalog } from "../config/catalog.ts";
import { fingerprintsOf } from "../config/certificate-dates.ts";
import { storedPairs } from "../config/certificate-store.ts";
import type { Loaded } from "../config/source.ts";
import { type CertificateWatch, createCertificateWatch } from "../gateway/certificate-watch.ts";
import { OVERLOADED } from "../gateway/overload.ts";
import { createAdminPart, createStatusPart } from "../gateway/side-servers.ts";
import { createStorePart } from "../gateway/store-part.ts";
import { createLogWriter, type LogWriter } from "../telemetry/log-writer.ts";
import { type Crew, createCrew } from "./crew.ts";
import { createCrewSource } from "./crew-source.ts";
import type { NamedCertificate } from "./message.ts";
import { createSupervisorMetrics, type SupervisorMetrics } from "./metrics.ts";
import { PULSE, type PulseLimits } from "./pulse.ts";
import { createSockets, type Sockets } from "./sockets.ts";

export interface SupervisorOptions {
  readonly configPath: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly log: Logger;
  readonly openCatalog: OpenCatalog;
  /** The first configuration. */
  readonly loaded: Loaded;
  /** The program and its arguments that become a worker. */
  readonly command: readonly string[];
  /** Where workers' standard output goes; 1 unless given. */
  readonly outputFd?: number;
  /** How long a worker may be silent; `PULSE` unless given. */
  readonly pulse?: PulseLimits;
}

/** What a supervisor is made of. */
export interface SupervisorParts {
  readonly options: SupervisorOptions;
  readonly metrics: SupervisorMetrics;
  readonly output: LogWriter;
  readonly sockets: Sockets;
  readonly crew: Crew;
  readonly status: ReturnType<typeof createStatusPart>;
  readonly admin: ReturnType<typeof createAdminPart>;
  readonly store: ReturnType<typeof createStorePart>;
  readonly certificates: CertificateWatch;
  readonly state: SupervisorState;
}

export interface SupervisorState {
  /** What is in force. */
  loaded: Loaded;
  /** Configurations that were in force since the start, this one included. */
  version: number;
  /** What is about to be; null while there is nothing new. */
  coming: Loaded | null;
  isStarted: boolean;
  isDraining: boolean;
}

/** Nothing is open yet, no worker runs; what looks after certificates does already. */
export function createParts(options: SupervisorOptions): SupervisorParts {
  const { env, cwd, configPath, command, log } = options;
  const { loaded } = options;
  const state: SupervisorState = { loaded, version: 1, coming: null, isStarted: false, isDraining: false };
  const metrics: SupervisorMetrics = createSupervisorMetrics({
    version: options.version,
    sources: () => crew.processes(),
  });
  const onDrop = (lines: number) => metrics.own.events.accessLogDropped(lines);
  const output = createLogWriter({ target: options.outputFd ?? 1, onDrop });
  const sockets = createSockets();
  const crew: Crew = createCrew({
    worker: {
      command,
      env,
      cwd,
      configPath,
      certificatesInForce: () => fingerprintsOf(state.loaded.config),
      storedCertificates: () => storedCertificates(state),
      onOutput: output.writeBytes,
      onTornLine: () => onDrop(1),
    },
    sockets,
    log,
    pulse: options.pulse ?? PULSE,
    shutdown: () => state.loaded.config.shutdown,
    onRestart: metrics.restarted,
    onGone: metrics.gone,
  });
  const readyState = () => ({ isStarted: state.isStarted, reasons: readyReasons(state, crew) });
  const file = configPath ?? "torii.yaml";
  const status = createStatusPart({ readyState, metrics }, file);
  const store = createStorePart({ metrics: metrics.own, log, file });
  const certificates = createCertificateWatch({ log, config: () => state.loaded.config });
  const { version } = options;
  const source = createCrewSource({ version, state, readyState, sockets, crew, store: () => store.current });
  const admin = createAdminPart({ source, version, log }, file);
  return { options, metrics, output, sockets, crew, status, admin, store, certificates, state };
}

/** All that a worker may need which starts now: it reads what is in force, or what is about to be. */
function storedCertificates({ loaded, coming }: SupervisorState): readonly NamedCertificate[] {
  const pairs = [loaded, ...(coming === null ? [] : [coming])].flatMap(({ config }) => [...storedPairs(config)]);
  return [...new Map(pairs)].map(([name, pair]) => ({ name, ...pair }));
}

const TROUBLES: Readonly<Record<NonNullable<Crew["trouble"]>, ReadyReason>> = {
  missing: { code: "worker_missing", detail: "Connections wait for a worker that restarts or does not answer." },
  overloaded: OVERLOADED,
};

function readyReasons({ isStarted, isDraining }: SupervisorState, crew: Crew): readonly ReadyReason[] {
  if (!isStarted) return [{ code: "starting", detail: "No configuration is live yet." }];
  if (isDraining) return [{ code: "draining", detail: "The gateway is shutting down." }];
  const { trouble } = crew;
  return trouble === null ? [] : [TROUBLES[trouble]];
}
