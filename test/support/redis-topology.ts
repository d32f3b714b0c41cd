import { eventually } from "./load.ts";
import { freePort, type RedisProcess, startRedis } from "./redis.ts";

function sentinelFile(masterPort: number): string {
  return [
    `sentinel monitor shop 127.0.0.1 ${masterPort} 1`,
    "sentinel down-after-milliseconds shop 500",
    "sentinel failover-timeout shop 2000",
    "",
  ].join("\n");
}

/** A copy of that Redis, which has caught up. */
export async function startReplica(master: RedisProcess): Promise<RedisProcess> {
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  await eventually(
    async () => (await replica.cli("info", "replication")).includes("master_link_status:up"),
    "a replica",
  );
  return replica;
}

/** A sentinel that alone decides about the master, under the name `shop`. */
export function startSentinel(master: RedisProcess): Promise<RedisProcess> {
  return startRedis({ file: sentinelFile(master.port), args: ["--sentinel"] });
}

const HALF = 8192;
const LAST = 16_383;

async function startNode(): Promise<RedisProcess> {
  // Its bus listens 10,000 above, where no port would be left for the highest ones.
  let port = freePort();
  while (port > 55_000) port = freePort();
  return await startRedis({ port, args: ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"] });
}

/** Two servers with half of the slots each. A Cluster takes two seconds to believe in itself. */
export async function startCluster(): Promise<readonly [RedisProcess, RedisProcess]> {
  const nodes = await Promise.all([startNode(), startNode()]);
  const [first, second] = nodes;
  await first.cli("cluster", "addslotsrange", "0", String(HALF - 1));
  await second.cli("cluster", "addslotsrange", String(HALF), String(LAST));
  await first.cli("cluster", "set-config-epoch", "1");
  await second.cli("cluster", "set-config-epoch", "2");
  await first.cli("cluster", "meet", "127.0.0.1", String(second.port));
  for (const node of nodes) {
    await eventually(async () => {
      const info = await node.cli("cluster", "info");
      return info.includes("cluster_state:ok") && info.includes("cluster_slots_ok:16384");
    }, "a Cluster");
  }
  return nodes;
}

/** A slot that is on its way from one server to another, with all that stands there. */
export interface SlotMove {
  readonly to: RedisProcess;
  /** Gives the slot to the server that has its keys. */
  finish(): Promise<void>;
}

/** Begins to move the slot of a key from the server that had it first to the other; its keys are there when this resolves. */
export async function moveSlot([first, second]: readonly [RedisProcess, RedisProcess], key: string): Promise<SlotMove> {
  const slot = await first.cli("cluster", "keyslot", key);
  const [from, to] = Number(slot) < HALF ? [first, second] : [second, first];
  const [fromId = "", toId = ""] = await Promise.all([from, to].map((node) => node.cli("cluster", "myid")));
  await to.cli("cluster", "setslot", slot, "importing", fromId);
  await from.cli("cluster", "setslot", slot, "migrating", toId);
  const keys = (await from.cli("cluster", "getkeysinslot", slot, "1000")).split("\n").filter((one) => one !== "");
  for (const one of keys) await from.cli("migrate", "127.0.0.1", String(to.port), one, "0", "5000");
  return {
    to,
    finish: async () => {
      for (const node of [to, from]) await node.cli("cluster", "setslot", slot, "node", toId);
    },
  };
}
