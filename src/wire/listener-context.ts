import type { GatewayError } from "../errors.ts";
import type { ClientInfo, Exchange } from "./exchange.ts";
import type { PassageHooks } from "./l4/passage.ts";
import type { OwnFields } from "./own-fields.ts";
import type { HeadLimits } from "./parse-request.ts";
import type { RequestBodyLimits } from "./request-body.ts";
import type { SocketOwner } from "./socket-events.ts";
import type { TimerWheel } from "./timer-wheel.ts";

export interface WireLimits extends HeadLimits, RequestBodyLimits {
  /** Open connections in total, and per client address (null for no bound). */
  readonly connections: number;
  readonly connectionsPerClient: number | null;
  /** From the first byte of a head to its last. */
  readonly headerTimeoutMs: number;
  /** Silence between requests, in a body, or of a client that does not read its response. */
  readonly idleTimeoutMs: number;
}

/** A request that was refused before it could be read whole. */
export interface Refusal {
  readonly id: string;
  readonly client: ClientInfo;
  readonly listener: string;
  readonly error: GatewayError;
  /** The request line as far as it came, or "". */
  readonly line: string;
  readonly bytesSent: number;
}

export interface ListenerHooks extends PassageHooks {
  /** A request's head came; its exchange must be answered in the end, refused where it has an error already. */
  onRequest(exchange: Exchange): void;
  /** An exchange's last byte is sent, or it was broken off. */
  onDone(exchange: Exchange): void;
  onRefused(refusal: Refusal): void;
  onConnection(event: ConnectionEvent): void;
}

/** `limit`: refused for the number of all connections; `client_limit`: for that of its client's. Both open first. */
export type ConnectionEvent = "opened" | "closed" | "limit" | "client_limit";

/** A client's connection, whatever is spoken on it. */
export interface ServerConnection extends SocketOwner {
  /** Draining began: the client is told to go elsewhere with what it asks next; nothing is broken off. */
  drain(): void;
  /** Takes no more requests; closes when what is under way has ended, at once where nothing is. */
  close(): void;
  /** Ends WebSockets by their closing handshake; everything else goes on. */
  goAway(): void;
  /** Breaks off, with a reset where the runtime can. */
  terminate(): void;
}

/** What a connection knows of its listener. */
export interface ListenerContext<Connection> {
  name: string;
  readonly scheme: "http" | "https";
  limits: WireLimits;
  isTrusted: (address: string) => boolean;
  readonly wheel: TimerWheel;
  readonly newId: () => string;
  readonly hooks: ListenerHooks;
  isDraining: boolean;
  /** Fields that stand in every response; null for none. */
  own: OwnFields | null;
  /** WebSockets are to be ended, those that begin from now on as well. */
  isGoing: boolean;
  closed(connection: Connection): void;
}
