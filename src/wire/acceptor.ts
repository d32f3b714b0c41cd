import { closeSync } from "node:fs";
import type { TCPSocketListener } from "bun";
import { duplicate } from "./libc.ts";

/** Where to listen: at an address, or on a socket that listens already. */
export type ListenAt = { readonly hostname: string; readonly port: number } | { readonly fd: number };

/** Listens; the accepting begins at once. Throws what the runtime throws. */
export type Listen<Data> = (at: ListenAt) => TCPSocketListener<Data>;

/** A socket that is listened on, and whose accepting may rest: what comes meanwhile waits in the kernel's queue. */
export interface Acceptor {
  readonly port: number;
  readonly isPaused: boolean;
  /** Accepts no more for now, from this moment on; false when the runtime cannot. May be called while accepting. */
  pause(): boolean;
  /** Accepts again; false when that cannot be now, as without a descriptor for it. */
  resume(): boolean;
  /** Listens no more; connections stay. */
  stop(): void;
}

/**
 * Begins to listen. The runtime knows no pause: a duplicate of the socket stays open while the runtime's own is
 * stopped, so that the kernel goes on listening, and is listened on again.
 */
export function createAcceptor<Data>(listen: Listen<Data>, at: ListenAt): Acceptor {
  let server: TCPSocketListener<Data> | null = listenAt(listen, at);
  const port = portOf(server);
  let kept = keep(server);

  function resume(): boolean {
    if (server !== null || kept === null) return server !== null;
    const fd = duplicate(kept);
    if (fd === null) return false;
    try {
      server = listenAt(listen, { fd });
    } catch {
      // Whoever asks has a connection to take leave of, and asks again.
      return false;
    }
    return true;
  }

  return {
    port,
    get isPaused() {
      return server === null;
    },
    pause() {
      if (kept === null) return false;
      server?.stop();
      server = null;
      return true;
    },
    resume,
    stop() {
      server?.stop();
      server = null;
      if (kept !== null) closeSync(kept);
      kept = null;
    },
  };
}

/** The runtime leaves a descriptor open on which it cannot listen; test/wire/acceptor.test.ts holds it to that. */
function listenAt<Data>(listen: Listen<Data>, at: ListenAt): TCPSocketListener<Data> {
  try {
    return listen(at);
  } catch (error) {
    if ("fd" in at) closeSync(at.fd);
    throw error;
  }
}

/** The port listened on; the runtime tells none of its own for a socket that it was given. */
function portOf(server: object): number {
  if ("port" in server && typeof server.port === "number") return server.port;
  const name: { port?: unknown } = {};
  if ("getsockname" in server && typeof server.getsockname === "function") server.getsockname(name);
  return typeof name.port === "number" ? name.port : 0;
}

/** A duplicate of what is listened on, or null when there is none to be had. */
function keep(server: object): number | null {
  // Not in the runtime's types; test/wire/acceptor.test.ts holds it to it.
  const fd: unknown = "fd" in server ? server.fd : null;
  return typeof fd === "number" && fd >= 0 ? duplicate(fd) : null;
}
