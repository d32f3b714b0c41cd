import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { ListenerConfig } from "../config/types.ts";

export interface Identity {
  readonly listeners: readonly Pick<ListenerConfig, "address" | "port">[];
  /** Among the processes of one gateway; 0 for the only one. */
  readonly seat: number;
}

/** Of IPv6 only where there is no other: it has addresses that change by the day. */
function steadyAddresses(): readonly string[] {
  const outer = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).filter(({ internal }) => !internal));
  const four = outer.filter(({ family }) => family === "IPv4");
  const six = outer.filter(({ family, address }) => family === "IPv6" && !/^fe[89ab]/i.test(address));
  return (four.length > 0 ? four : six).map(({ address }) => address).sort();
}

/** Machines may have the same names and addresses, as containers of several hosts do; this none has twice. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/**
 * Names this process among all that share a store: the same after a restart, of no other process. Made of the machine's
 * name, boot and addresses, of which containers have some of their own, of the address and port that no other process
 * there listens on, and of the seat. With a port that the system chooses it is another one at each start.
 */
export function gatewayId({ listeners, seat }: Identity): string {
  const { address = "", port = 0 } = listeners[0] ?? {};
  const machine = [hostname(), bootId(), steadyAddresses()];
  const own = port === 0 ? crypto.randomUUID() : JSON.stringify([...machine, address, port]);
  const digest = createHash("sha256").update(own).digest("hex").slice(0, 12);
  const name = hostname()
    .replace(/[^\w-]/g, "-")
    .slice(0, 24);
  return `${name}.${digest}.${seat}`;
}
