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
  /** Bytes a second that a request's body comes with at the least; null for no bound. */
  readonly bodyMinRate: number | null;
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
  /** A TLS handshake has ended, well or not. */
  onHandshake(handshake: HandshakeEvent): void;
}

/**
 * Why a connection may not stay. `limit`: for the number of all connections, `client_limit`: of its client's;
 * `proxy_…`: its PROXY protocol header is not to be trusted, malformed, or did not come; `tls_…`: it speaks HTTP in the
 * clear, no TLS at all, asks for a name that nobody serves, or did not go on.
 */
export type ConnectionRefusal =
  | "limit"
  | "client_limit"
  | "proxy_untrusted"
  | "proxy_malformed"
  | "proxy_timeout"
  | "tls_plain_http"
  | "tls_malformed"
  | "tls_unrecognized_name"
  | "tls_timeout";

export type ConnectionEvent = "opened" | "closed" | ConnectionRefusal;

/** How a handshake ended; `certificate`: that of the client is missing, or not good enough. */
export type HandshakeResult = "full" | "resumed" | "protocol" | "certificate" | "reset" | "timeout";

export interface HandshakeEvent {
  readonly listener: string;
  readonly result: HandshakeResult;
  /** Null when it failed. */
  readonly version: "TLSv1.2" | "TLSv1.3" | null;
}

/** A client's connection, whatever is spoken on it. */
export interface ServerConnection extends SocketOwner {
  /** Bytes in memory that wait for the client to read. */
  readonly heldBytes: number;
  /** Draining began: the client is told to go elsewhere with what it asks next; nothing is broken off. */
  drain(): void;
  /** Takes no more requests; closes when what is under way has ended, at once where nothing is. */
  close(): void;
  /** Closes if nothing has been under way since an instant of `now()`; nothing otherwise. */
  closeIdle(since: number): void;
  /** Ends WebSockets by their closing handshake; everything else goes on. */
  goAway(): void;
  /** Breaks off, with a reset where the runtime can; `cause` tells the log why, for all that is under way. */
  terminate(cause?: GatewayError): void;
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
