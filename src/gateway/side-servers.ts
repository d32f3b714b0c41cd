import { resolve } from "node:path";
import type { Logger } from "pino";
import { type AdminServer, type AdminServerOptions, createAdminServer } from "../admin/admin.ts";
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
  /** Says whether one of the two may be in the other's way, so that the old one has to make room. Left out: never. */
  excludes?(old: Config, next: Config): boolean;
  /** Field of the configuration, for faults. */
  readonly field: string;
  readonly file: string;
  onChange(value: Value | null): void;
}

/** What is in force of a part. */
interface PartState<Value> {
  current: Value | null;
  config: Config | null;
  key: string | null;
  closing: Promise<unknown>;
}

/** A part that is opened, kept and closed by what a configuration says. */
export function createSidePart<Value extends Closable>(options: SidePartOptions<Value>): SidePart<Value> {
  const state: PartState<Value> = { current: null, config: null, key: null, closing: Promise.resolve() };
  return {
    get current() {
      return state.current;
    },
    prepare(config) {
      const key = JSON.stringify(options.key(config));
      if (key === state.key) return UNCHANGED;
      const { current: old, config: before } = state;
      const { opened, madeRoom } = openBeside(config, options, state);
      return {
        commit() {
          state.current = opened;
          state.config = config;
          state.key = key;
          options.onChange(opened);
          if (!madeRoom) leave(old, state);
        },
        abort() {
          leave(opened, state);
          if (madeRoom && before !== null) reopen(before, options, state);
        },
      };
    },
    async close() {
      leave(state.current, state);
      await state.closing;
    },
  };
}

function leave<Value extends Closable>(value: Value | null, state: PartState<Value>): void {
  if (value !== null) state.closing = Promise.allSettled([state.closing, value.close()]);
}

/** Opens the new one; where it cannot be open beside the old one, this makes room, and comes back when that is in vain. */
function openBeside<Value extends Closable>(
  config: Config,
  options: SidePartOptions<Value>,
  state: PartState<Value>,
): { readonly opened: Value | null; readonly madeRoom: boolean } {
  const { current: old, config: before } = state;
  try {
    return { opened: tryOpen(config, options), madeRoom: false };
  } catch (error) {
    if (old === null || before === null || options.excludes?.(before, config) !== true) throw error;
    leave(old, state);
    try {
      return { opened: tryOpen(config, options), madeRoom: true };
    } catch (stillNot) {
      reopen(before, options, state);
      throw stillNot;
    }
  }
}

/** Puts back what had made room. Should somebody else have its place by now, the next reload tries again. */
function reopen<Value extends Closable>(
  before: Config,
  options: SidePartOptions<Value>,
  state: PartState<Value>,
): void {
  try {
    state.current = options.open(before);
  } catch {
    state.current = null;
    state.config = null;
    state.key = null;
  }
  options.onChange(state.current);
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
    // 0.0.0.0 and 127.0.0.1 cannot be listened on at one port both.
    excludes: (old, next) => old.status.port === next.status.port,
    field: "status",
    file,
    onChange() {},
  });
}

/** The server of the admin API, where the configuration wants one; another token makes it anew. */
export function createAdminPart(
  { log, ...server }: Pick<AdminServerOptions, "source" | "version"> & { readonly log: Pick<Logger, "error" | "info"> },
  file: string,
): SidePart<AdminServer> {
  const onFault: AdminServerOptions["onFault"] = (err, path) => log.error({ err, path }, "admin request failed");
  const onChange: AdminServerOptions["onChange"] = (change) => log.info({ audit: change }, "a quota was corrected");
  return createSidePart({
    key: ({ admin }) => admin,
    open: ({ admin }) => (admin === null ? null : createAdminServer({ ...admin, ...server, onFault, onChange })),
    excludes: (old, next) => old.admin !== null && old.admin.port === next.admin?.port,
    field: "admin",
    file,
    onChange() {},
  });
}

/** Neither status server nor admin API, for a process whose supervisor has them. */
export const NO_SERVER: SidePart<never> = { current: null, prepare: () => UNCHANGED, async close() {} };

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
