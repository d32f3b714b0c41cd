import { eventually } from "./load.ts";
import { freePort, type RedisProcess, type RedisSetup, startRedis } from "./redis.ts";

/** How servers of a topology are reached: all over TLS, or as a user of their own. */
export type RedisManner = Pick<RedisSetup, "tls" | "user">;

/** Its own users, whose first line replaces the one that may do all. */
function userLines({ user }: RedisManner): readonly string[] {
  if (user === undefined) return [];
  return ["user default off", `user ${user.username} on >${user.password} ~* &* +@all`];
}

/** As a command line has it. */
function userArguments({ user }: RedisManner): readonly string[] {
  if (user === undefined) return [];
  const rights = ["on", `>${user.password}`, "~*", "&*", "+@all"];
  const master = ["--masteruser", user.username, "--masterauth", user.password];
  return ["--user", user.username, ...rights, "--user", "default", "off", ...master];
}

function sentinelFile(masterPort: number, master: RedisManner, own: RedisManner): string {
  const { user } = master;
  return [
    ...userLines(own),
    `sentinel monitor shop 127.0.0.1 ${masterPort} 1`,
    ...(user === undefined
      ? []
      : [`sentinel auth-user shop ${user.username}`, `sentinel auth-pass shop ${user.password}`]),
    "sentinel down-after-milliseconds shop 500",
    "sentinel failover-timeout shop 2000",
    "",
  ].join("\n");
}

/** A copy of that Redis, which has caught up. */
export async function startReplica(master: RedisProcess, manner: RedisManner = {}): Promise<RedisProcess> {
  const args = ["--replicaof", "127.0.0.1", String(master.port), ...userArguments(manner)];
  const replica = await startRedis({ ...manner, args });
  await eventually(
    async () => (await replica.cli("info", "replication")).includes("master_link_status:up"),
    "a replica",
  );
  return replica;
}

/** A Redis, in that manner. */
export function startServer(manner: RedisManner): Promise<RedisProcess> {
  return startRedis({ ...manner, args: userArguments(manner) });
}

/** A sentinel that alone decides about the master, under the name `shop`. Both may be reached in manners of their own. */
export function startSentinel(
  master: RedisProcess,
  manners: { readonly master?: RedisManner; readonly own?: RedisManner } = {},
): Promise<RedisProcess> {
  const { master: theirs = {}, own = {} } = manners;
  return startRedis({ ...own, file: sentinelFile(master.port, theirs, own), args: ["--sentinel"] });
}

const HALF = 8192;
const LAST = 16_383;

async function startNode(manner: RedisManner): Promise<RedisProcess> {
  // Its bus listens 10,000 above, where no port would be left for the highest ones.
  let port = freePort();
  while (port > 55_000) port = freePort();
  const cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
  const bus = manner.tls === undefined ? [] : ["--tls-cluster", "yes"];
  return await startRedis({ ...manner, port, args: [...cluster, ...bus, ...userArguments(manner)] });
}

/** Two servers with half of the slots each. A Cluster takes two seconds to believe in itself. */
export async function startCluster(manner: RedisManner = {}): Promise<readonly [RedisProcess, RedisProcess]> {
  const nodes = await Promise.all([startNode(manner), startNode(manner)]);
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
