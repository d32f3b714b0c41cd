import type { Socket } from "bun";
import type { ListenerContext } from "./listener-context.ts";
import type { Outlet } from "./outlet.ts";
import type { ReadGate } from "./read-gate.ts";
import type { Timer } from "./timer-wheel.ts";

/** So long, and for so many bytes, a closing connection is read on: the client gets to read the answer. */
export const LINGER_MS = 2000;
export const LINGER_BYTES = 1024 * 1024;

/**
 * `idle`: between requests; `head`: part of a head came; `busy`: an exchange is under way; `lingering`: all is said,
 * the client may still be sending; `tunnel`: the connection is no longer ours to read; `closed`.
 */
export type DownstreamState = "idle" | "head" | "busy" | "lingering" | "tunnel" | "closed";

/** What a client's connection lends to the state that it is in; the connection stays the owner of all of it. */
export interface LentConnection {
  readonly socket: Socket<unknown>;
  readonly outlet: Outlet;
  readonly gate: ReadGate;
  /** The connection itself: it decides what to do when its time is over. */
  readonly timer: Timer;
  readonly context: Pick<ListenerContext<never>, "wheel" | "limits" | "isGoing">;
}
