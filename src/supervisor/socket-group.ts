import { closeSync } from "node:fs";
import { openShared, refuseTaken } from "./listening-socket.ts";
import { steerTo, steerToAll } from "./steering.ts";

interface Member {
  readonly slot: number;
  readonly fd: number;
}

/** The sockets of one address and port, one for each slot. They accept nothing; their queues outlive every worker. */
export interface SocketGroup {
  readonly address: string;
  /** The real one. */
  readonly port: number;
  /** Opens this slot's socket; true when there was none. Throws a SocketError. */
  open(slot: number): boolean;
  /** This slot's socket, which stays the group's; null when it has none. */
  fdOf(slot: number): number | null;
  /** Closes this slot's socket here. What waits in its queue is lost unless a worker still holds it. */
  close(slot: number): void;
  closeAll(): void;
  /** Keeps new connections from slots that nobody serves, as long as another is served. False when that cannot be. */
  steer(isServed: (slot: number) => boolean): boolean;
}

/** An empty group. Port 0 becomes a free one when the first is opened. */
export function createSocketGroup(address: string, wantedPort: number): SocketGroup {
  // In the kernel's order, which is that of listening.
  const members: Member[] = [];
  let port = wantedPort;
  let steered = "";

  function closeAt(at: number): void {
    const [member] = members.splice(at, 1);
    if (member === undefined) return;
    // The kernel puts the last one in the place of one that closes.
    const last = at < members.length ? members.pop() : undefined;
    if (last !== undefined) members.splice(at, 0, last);
    closeSync(member.fd);
  }

  return {
    address,
    get port() {
      return port;
    },
    open(slot) {
      if (members.some((member) => member.slot === slot)) return false;
      if (members.length === 0 && port !== 0) refuseTaken(address, port);
      const opened = openShared(address, port);
      port = opened.port;
      members.push({ slot, fd: opened.fd });
      return true;
    },
    fdOf: (slot) => members.find((member) => member.slot === slot)?.fd ?? null,
    close: (slot) => closeAt(members.findIndex((member) => member.slot === slot)),
    closeAll() {
      for (const { fd } of members.splice(0)) closeSync(fd);
    },
    steer(isServed) {
      const [first] = members;
      const places = members.flatMap(({ slot }, place) => (isServed(slot) ? [place] : []));
      const isWhole = places.length === 0 || places.length === members.length;
      const wanted = isWhole ? "" : `${members.length}: ${places}`;
      if (first === undefined || wanted === steered) return true;
      if (isWhole) steerToAll(first.fd);
      else if (!steerTo(first.fd, places)) return false;
      steered = wanted;
      return true;
    },
  };
}
