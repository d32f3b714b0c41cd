import type { Socket } from "bun";
import type { GatewayError } from "../../errors.ts";
import type { ClientInfo, Decision } from "../exchange.ts";
import type { EndAddress } from "../proxy-protocol.ts";
import type { SocketOwner } from "../socket-events.ts";

/** Told once when a passage is over, in whatever way. */
export interface PassageObserver {
  passageDone(passage: Passage): void;
}

/** How a passage goes on once there is a connection to an endpoint. */
export interface JoinOptions {
  /** Silence in both directions after which both connections are reset; 0 for no bound. */
  readonly idleMs: number;
  /** Version of the PROXY protocol header that goes first; null: none does. */
  readonly proxyProtocol: "v1" | "v2" | null;
  /** The endpoint accepted. Called once, or never. */
  readonly onOpened?: () => void;
  /** The connection to the endpoint carries nothing any more. Called once. */
  readonly onClosed: () => void;
}

/** One client's connection whose bytes are passed on as they are. Lives from its first byte, or none, to its end. */
export interface Passage {
  readonly id: string;
  /** `tls` when the name that it is for was read from the ClientHello. */
  readonly protocol: "tcp" | "tls";
  readonly listener: string;
  readonly client: ClientInfo;
  /** Where the client came to, as it is told to endpoints. */
  readonly to: EndAddress;
  /** Name that the ClientHello asks for, lower case; null when it names none, and on `tcp`. */
  readonly sni: string | null;
  /** `performance.now()`, like the next two. */
  readonly startedAt: number;
  /** When an endpoint's connection was there, 0 if there was none. */
  readonly joinedAt: number;
  /** 0 before the end. */
  readonly endedAt: number;
  /** From the client, and to it. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Why it did not come to a clean end; null when it did. */
  readonly error: GatewayError | null;

  /** Whoever must know of the end: the configuration that serves the passage. */
  observer: PassageObserver | null;
  /** Facts for the log, filled in as they become known. */
  route: string | null;
  service: string | null;
  endpoint: string | null;
  /** Connections to endpoints that were tried. */
  attempts: number;
  /** What policies did, in their order; null: nothing worth telling. */
  readonly decisions: readonly Decision[] | null;

  /** Notes what a policy did; the sixteenth is the last that is kept. */
  decided(policy: string, outcome: string, about?: string | null): void;
  /** One listener for the client's leaving, while an endpoint is sought. */
  set onGone(listener: ((reason: GatewayError) => void) | null);
  /** Goes on over this connection to an endpoint, which it closes in the end. Returns who hears the socket's events. */
  join(socket: Socket<unknown>, options: JoinOptions): SocketOwner;
  /** There is nowhere to go on to: the client is told as far as it can be, and its connection closes. */
  refuse(error: GatewayError): void;
}

/** Who decides where passages go on to. */
export interface PassageHooks {
  /** It must be joined or refused in the end. */
  onPassage(passage: Passage): void;
  /** It is over. */
  onPassageDone(passage: Passage): void;
}
