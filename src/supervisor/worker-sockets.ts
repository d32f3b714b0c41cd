import { closeSync } from "node:fs";
import type { HandedSocket } from "../gateway/listeners.ts";
import type { Supervised } from "../gateway/options.ts";
import { socketKey } from "../gateway/socket-plan.ts";
import { duplicate } from "../wire/libc.ts";
import type { SlotSocket } from "./sockets.ts";

/** The sockets that a worker was given. */
export interface WorkerSockets extends Pick<Supervised, "socketFor"> {
  /** Lets go of them: what no listener holds is not listened on by this process any more. */
  close(): void;
}

/** Takes over these descriptors; every listener gets a duplicate, as one that closes may be opened anew by a reload. */
export function createWorkerSockets(sockets: readonly SlotSocket[]): WorkerSockets {
  const byKey = new Map(sockets.map((socket) => [socket.key, socket]));
  return {
    socketFor(listener): HandedSocket | null {
      const socket = byKey.get(socketKey(listener));
      if (socket === undefined) return null;
      const fd = duplicate(socket.fd);
      if (fd === null) throw new Error("no further descriptor is to be had for its socket");
      return { fd, port: socket.port };
    },
    close() {
      for (const { fd } of byKey.values()) closeSync(fd);
      byKey.clear();
    },
  };
}
