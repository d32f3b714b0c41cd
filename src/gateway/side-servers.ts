import { resolve } from "node:path";
import { createStatusServer, type StatusServer, type StatusServerOptions } from "../admin/status.ts";
import type { Config } from "../config/types.ts";
import { ConfigError } from "../errors.ts";
import { type AccessLog, createAccessLog } from "../telemetry/access-log.ts";
import { type Prepared, UNCHANGED } from "./prepared.ts";

/** A part of the gateway that a reload may exchange. */
export interface SidePart<Value> {
  /** Null before the first configuration, and where the configuration wants none. */
  readonly current: Value | null;
  /** Opens what this configuration wants, beside what is in force. Throws a ConfigError when that cannot be had. */
  prepare(config: Config): Prepared;
  close(): Promise<void>;
}

interface Closable {
  close(): Promise<void>;
}

export interface SidePartOptions<Value> {
  /** What of the configuration decides; equal values leave the part as it is. */
  key(config: Config): unknown;
  open(config: Config): Value | null;
  /** Field of the configuration, for faults. */
  readonly field: string;
  readonly file: string;
  onChange(value: Value | null): void;
}

/** A part that is opened, kept and closed by what a configuration says. */
export function createSidePart<Value extends Closable>(options: SidePartOptions<Value>): SidePart<Value> {
  let current: Value | null = null;
  let key: string | null = null;
  let closing: Promise<unknown> = Promise.resolve();
  const leave = (value: Value | null) => {
    if (value !== null) closing = Promise.allSettled([closing, value.close()]);
  };
  return {
    get current() {
      return current;
    },
    prepare(config) {
      const wanted = JSON.stringify(options.key(config));
      if (wanted === key) return UNCHANGED;
      const opened = tryOpen(config, options);
      return {
        commit() {
          const old = current;
          current = opened;
          key = wanted;
          options.onChange(opened);
          leave(old);
        },
        abort: () => leave(opened),
      };
    },
    async close() {
      leave(current);
      await closing;
    },
  };
}

function tryOpen<Value>(config: Config, { open, field, file }: SidePartOptions<Value>): Value | null {
  try {
    return open(config);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ file, line: null, column: null, field, message }]);
  }
}

/** The status server; it moves when its address does. */
export function createStatusPart(
  server: Pick<StatusServerOptions, "readyState" | "metrics">,
  file: string,
): SidePart<StatusServer> {
  return createSidePart({
    key: ({ status }) => status,
    open: ({ status }) => createStatusServer({ ...status, ...server }),
    field: "status",
    file,
    onChange() {},
  });
}

/** No status server, for a process whose supervisor has one. */
export const NO_STATUS: SidePart<StatusServer> = { current: null, prepare: () => UNCHANGED, async close() {} };

export interface AccessLogPartOptions {
  readonly cwd: string;
  readonly file: string;
  /** Where lines go without a path. */
  readonly fd: number;
  readonly onDrop: (lines: number) => void;
  readonly onChange: (log: AccessLog | null) => void;
}

/** The access log; it moves when its path does. */
export function createAccessLogPart({ cwd, file, fd, onDrop, onChange }: AccessLogPartOptions): SidePart<AccessLog> {
  return createSidePart({
    key: ({ accessLog }) => accessLog,
    open({ accessLog: { isEnabled, path } }) {
      if (!isEnabled) return null;
      return createAccessLog({ target: path === null ? fd : resolve(cwd, path), onDrop });
    },
    field: "telemetry.accessLog",
    file,
    onChange,
  });
}
