import { createClientLink, type RedisSource } from "./client.ts";
import { leaveAtExit } from "./exit.ts";
import { createKeeper, type MemberState } from "./keeper.ts";
import { isLoadNews, type MeshLoad, tidyLoad } from "./load.ts";
import {
  checkChanges,
  checkOptions,
  checkRedis,
  checkSize,
  type EndpointChanges,
  type EndpointOptions,
} from "./options.ts";
import { createOwnLoad } from "./own-load.ts";
import { pause } from "./pause.ts";
import { createMeshWriter } from "./writer.ts";

export type { MeshRedis, RedisSource } from "./client.ts";
export type { MemberState } from "./keeper.ts";
export type { MeshLoad } from "./load.ts";
export type { EndpointChanges, EndpointOptions } from "./options.ts";

export interface JoinOptions extends EndpointOptions {
  /** A URL, options of ioredis, or one of its clients, which stays its owner's. */
  readonly redis: RedisSource;
  /** Reports the share of processor time and of memory that this process uses, of what it may have. */
  readonly reportOwnLoad?: boolean;
  /**
   * Leaves on SIGTERM, on SIGINT and when the process has nothing more to do. A signal that nobody else listens for
   * ends the process after that, as it would have done.
   */
  readonly leaveOnExit?: boolean;
  /** Holds the process up while it is in the mesh; otherwise neither timers nor a connection of its own do. */
  readonly keepProcessAlive?: boolean;
  /** Milliseconds that `leave` waits after the endpoint is out, until gateways know; 500 when absent. */
  readonly graceMs?: number;
  /** Told every change of `state`, and what is wrong when it is `away`. Must not throw. */
  readonly onState?: (state: MemberState, reason: string | null) => void;
}

/** A service's endpoint in the mesh. */
export interface Member {
  readonly service: string;
  readonly id: string;
  readonly state: MemberState;
  /** Resolves with true when it was first registered, with false when it left before. Never rejects. */
  readonly joined: Promise<boolean>;
  /**
   * Says how busy this endpoint is, from now on: it replaces what was reported before, and goes before its own load.
   * Written with the next sign of life, or within a second when a share has moved by a tenth.
   */
  report(load: MeshLoad): void;
  /**
   * Changes the endpoint at once. Resolves with whether that stands; else it is written when Redis is back. Rejects
   * with a TypeError for what is wrong.
   */
  update(changes: EndpointChanges): Promise<boolean>;
  /**
   * Takes the endpoint out, waits until gateways know, and ends all. Resolves with whether it is out; false when Redis
   * is away: then the lease will end. Never rejects. What is in flight goes on: finish it after this.
   */
  leave(): Promise<boolean>;
}

const GRACE_MS = 500;

function graceOf({ graceMs = GRACE_MS }: JoinOptions): number {
  if (Number.isFinite(graceMs) && graceMs >= 0) return graceMs;
  throw new TypeError(`graceMs ${graceMs} is wrong; write milliseconds, 0 or more`);
}

/**
 * Puts an endpoint of a service into the mesh and keeps it there, through every loss of Redis, until it leaves. Returns
 * at once; a Redis that is away is no error. Throws a TypeError for options that are wrong.
 */
export function joinMesh(options: JoinOptions): Member {
  const { service, endpoint: first, leaseMs, prefix } = checkOptions(options);
  checkRedis(options.redis);
  const graceMs = graceOf(options);
  const holdsProcess = options.keepProcessAlive ?? false;
  const ownLoad = options.reportOwnLoad === true ? createOwnLoad() : null;
  let endpoint = first;
  let reported: MeshLoad = {};
  let settleJoined = (_isJoined: boolean): void => {};
  const joined = new Promise<boolean>((resolve) => {
    settleJoined = resolve;
  });

  const link = createClientLink(options.redis, { prefix, holdsProcess, onLost: () => keeper.beatSoon() });
  const keeper = createKeeper({
    writer: createMeshWriter(link),
    service,
    id: first.id,
    leaseMs,
    random: Math.random,
    holdsProcess,
    endpoint: () => {
      const load = tidyLoad({ ...ownLoad?.(), ...reported });
      return Object.keys(load).length === 0 ? endpoint : { ...endpoint, load };
    },
    onState: (state, reason) => {
      if (state === "joined" || state === "left") settleJoined(state === "joined");
      options.onState?.(state, reason);
    },
  });
  const stay = options.leaveOnExit === true ? leaveAtExit(() => leave()) : null;
  let parting: Promise<boolean> | null = null;

  async function part(): Promise<boolean> {
    link.hold();
    const isOut = await keeper.leave();
    link.close();
    if (isOut) await pause(graceMs);
    stay?.();
    return isOut;
  }

  function leave(): Promise<boolean> {
    parting ??= part();
    return parting;
  }

  return {
    service,
    id: first.id,
    get state() {
      return keeper.state;
    },
    joined,
    report: (load) => {
      const next = tidyLoad(load);
      if (isLoadNews(reported, next)) keeper.beatSoon();
      reported = next;
    },
    update: async (changes) => {
      const changed = { ...endpoint, ...checkChanges(changes) };
      checkSize(changed);
      endpoint = changed;
      return await keeper.beat();
    },
    leave,
  };
}
