import type { RedisTarget } from "../../src/store/redis-target.ts";
import { type RedisProcess, startRedis } from "../../test/support/redis.ts";
import { startReplica, startSentinel } from "../../test/support/redis-topology.ts";
import type { Group } from "./group.ts";
import { startRelay } from "./relay.ts";

/** What goes wrong, and servers made for it. Whoever makes it disposes of it. */
export interface Fault extends AsyncDisposable {
  /** How each gateway reaches Redis. */
  target(member: number): RedisTarget;
  begin(group: Group): Promise<void>;
  /** Puts right what can be put right. */
  end(group: Group): Promise<void>;
  /** Whether what Redis had confirmed may be gone afterwards: then one burst may be added, once. */
  readonly losesWrites: boolean;
  /** Whether it ends the first gateway, which then reports nothing. */
  readonly endsGateway: boolean;
}

type Steps = Partial<Omit<Fault, keyof AsyncDisposable>>;

/** A fault of one Redis. */
function faultOf(redis: RedisProcess, steps: Steps): Fault {
  return {
    target: () => ({ url: redis.url }),
    begin: async () => {},
    end: async () => {},
    losesWrites: false,
    endsGateway: false,
    ...steps,
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

async function killed(args: readonly string[], losesWrites: boolean): Promise<Fault> {
  const redis = await startRedis({ args });
  return faultOf(redis, { begin: () => redis.kill(), end: () => redis.restart(), losesWrites });
}

/** Holds all commands for as long. */
async function paused(lastsMs: number): Promise<Fault> {
  const redis = await startRedis();
  return faultOf(redis, { begin: async () => void (await redis.cli("client", "pause", String(lastsMs), "all")) });
}

async function failedOver(): Promise<Fault> {
  const master = await startRedis();
  const replica = await startReplica(master);
  const sentinel = await startSentinel(master);
  const target = { sentinels: [`127.0.0.1:${sentinel.port}`], name: "shop" };
  const fault = faultOf(master, { target: () => target, begin: () => master.kill(), losesWrites: true });
  return {
    ...fault,
    [Symbol.asyncDispose]: async () => {
      for (const server of [sentinel, replica, master]) await server[Symbol.asyncDispose]();
    },
  };
}

async function gatewayKilled(): Promise<Fault> {
  const begin = async ({ members }: Group): Promise<void> => members[0]?.signal("SIGKILL");
  return faultOf(await startRedis(), { begin, endsGateway: true });
}

async function gatewayStopped(): Promise<Fault> {
  return faultOf(await startRedis(), {
    begin: async ({ members }) => members[0]?.signal("SIGSTOP"),
    end: async ({ members }) => members[0]?.signal("SIGCONT"),
  });
}

async function gatewayCut(): Promise<Fault> {
  const redis = await startRedis();
  const relay = await startRelay(redis.port);
  const fault = faultOf(redis, {
    target: (member) => ({ url: member === 0 ? `redis://127.0.0.1:${relay.port}` : redis.url }),
    begin: async () => relay.hold(),
    end: async () => relay.pass(),
  });
  return {
    ...fault,
    [Symbol.asyncDispose]: async () => {
      await relay[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** A fault that can be made, and for how long it is left to itself. */
export interface FaultSpec {
  readonly name: string;
  readonly lastsMs: number;
  readonly make: (lastsMs: number) => Promise<Fault>;
}

/** All faults. */
export const FAULTS: readonly FaultSpec[] = [
  { name: "Redis killed, back empty", lastsMs: 8000, make: () => killed([], true) },
  {
    name: "Redis killed, back with its data",
    lastsMs: 8000,
    make: () => killed(["--appendonly", "yes", "--appendfsync", "always"], false),
  },
  { name: "Redis paused", lastsMs: 5000, make: paused },
  { name: "failed over to a replica", lastsMs: 3000, make: failedOver },
  { name: "a gateway killed", lastsMs: 6000, make: gatewayKilled },
  { name: "a gateway stopped", lastsMs: 3000, make: gatewayStopped },
  { name: "a gateway cut from Redis", lastsMs: 8000, make: gatewayCut },
];
