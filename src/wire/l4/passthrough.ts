import type { Socket } from "bun";
import { GatewayError } from "../../errors.ts";
import { now } from "../event.ts";
import { type ClientInfo, type Decision, noted } from "../exchange.ts";
import type { ListenerContext, ServerConnection } from "../listener-context.ts";
import type { EndAddress } from "../proxy-protocol.ts";
import type { SocketOwner } from "../socket-events.ts";
import { alertRecord } from "../tls/alert.ts";
import { Tunnel, type TunnelTally } from "../tunnel.ts";
import { EndpointSocket } from "./endpoint-socket.ts";
import type { JoinOptions, Passage, PassageHooks, PassageObserver } from "./passage.ts";
import { proxyHeader } from "./proxy-header.ts";
import { TunnelSocket } from "./tunnel-socket.ts";

/** What a client may send ahead, before there is anybody to pass it to. */
const HELD_BYTES = 64 * 1024;

/** What a passthrough connection knows of its listener. */
export interface PassthroughContext extends Pick<ListenerContext<PassthroughConnection>, "name" | "wheel" | "newId"> {
  readonly hooks: PassageHooks;
  /** Its socket is gone. */
  closed(connection: PassthroughConnection): void;
}

export interface PassthroughOrigin {
  readonly protocol: "tcp" | "tls";
  readonly client: ClientInfo;
  /** What a PROXY protocol header said of where the client came to; null: the socket's own address. */
  readonly to: EndAddress | null;
  readonly sni: string | null;
  /** What was read of the connection already, the connection's own from now on; may be empty. */
  readonly first: Buffer;
}

/** `waiting`: for an endpoint's connection; `joined` with one; `over`: only what is left may still be sent. */
type State = "waiting" | "joined" | "over";

/** A client's connection whose bytes are passed on as they are. */
export class PassthroughConnection extends TunnelSocket implements Passage, ServerConnection, TunnelTally {
  readonly id: string;
  readonly protocol: "tcp" | "tls";
  readonly listener: string;
  readonly client: ClientInfo;
  readonly sni: string | null;
  readonly startedAt = now();
  joinedAt = 0;
  endedAt = 0;
  bytesReceived = 0;
  bytesSent = 0;
  error: GatewayError | null = null;
  observer: PassageObserver | null = null;
  route: string | null = null;
  service: string | null = null;
  endpoint: string | null = null;
  attempts = 0;
  decisions: readonly Decision[] | null = null;
  readonly #client: Socket<unknown>;
  readonly #context: PassthroughContext;
  readonly #to: EndAddress | null;
  #state: State = "waiting";
  #held: Buffer[];
  #heldBytes: number;
  #hasEnded = false;
  #onGone: ((reason: GatewayError) => void) | null = null;

  constructor(socket: Socket<unknown>, context: PassthroughContext, origin: PassthroughOrigin) {
    super(socket, context.wheel);
    this.#client = socket;
    this.#context = context;
    this.id = context.newId();
    this.listener = context.name;
    this.protocol = origin.protocol;
    this.client = origin.client;
    this.sni = origin.sni;
    this.#to = origin.to;
    this.#held = origin.first.length > 0 ? [origin.first] : [];
    this.#heldBytes = origin.first.length;
  }

  /** Asks where to go on to. Call it once, when the socket's events reach the connection already. */
  begin(): void {
    this.#context.hooks.onPassage(this);
  }

  get to(): EndAddress {
    return this.#to ?? { address: this.#client.localAddress, port: this.#client.localPort };
  }

  decided(policy: string, outcome: string, about: string | null = null): void {
    this.decisions = noted(this.decisions, { policy, outcome, about });
  }

  set onGone(listener: ((reason: GatewayError) => void) | null) {
    this.#onGone = listener;
  }

  join(socket: Socket<unknown>, { idleMs, proxyProtocol, onClosed }: JoinOptions): SocketOwner {
    const { wheel } = this.#context;
    const endpoint = new EndpointSocket(socket, wheel, this);
    if (this.#state !== "waiting") {
      endpoint.terminate();
      onClosed();
      return endpoint;
    }
    this.#state = "joined";
    this.joinedAt = now();
    if (proxyProtocol !== null) endpoint.outlet.bytes(proxyHeader(proxyProtocol, this.client, this.to));
    const finish = () => {
      this.#finish();
      onClosed();
    };
    this.#passHeld(new Tunnel(this, endpoint, { tally: this, wheel, idleMs, onClosed: finish }));
    return endpoint;
  }

  #passHeld(tunnel: Tunnel): void {
    this.setPaused(false);
    for (const bytes of this.#held) tunnel.data(this, bytes);
    this.#held = [];
    if (this.#hasEnded) tunnel.ended(this);
  }

  /**
   * A client that asked for a name nobody serves gets a TLS alert that says so; any other is reset, which no client
   * takes for the end of an answer.
   */
  refuse(error: GatewayError): void {
    if (this.#state !== "waiting") return;
    this.error ??= error;
    this.#finish();
    if (this.protocol === "tls" && error.code === "route_not_found") {
      this.outlet.bytes(alertRecord("unrecognized_name"));
      this.linger();
    } else this.terminate();
  }

  // What the socket tells

  override onData(bytes: Buffer): void {
    if (this.#state !== "waiting") {
      super.onData(bytes);
      return;
    }
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= HELD_BYTES) this.setPaused(true);
  }

  /** A client may send no more and still wait for an answer. */
  override onEnd(): void {
    if (this.#state === "waiting") this.#hasEnded = true;
    else super.onEnd();
  }

  override onClose(isReset: boolean): void {
    if (this.#state === "waiting") this.#gone();
    super.onClose(isReset);
    this.#context.closed(this);
  }

  protected override wasReset(): void {
    if (this.#state !== "over") this.error ??= new GatewayError("client_closed", "The client reset the connection.");
  }

  // ServerConnection: passed bytes are work under way, which ends by itself.

  drain(): void {}

  close(): void {}

  get heldBytes(): number {
    return this.outlet.heldBytes;
  }

  closeIdle(): void {}

  goAway(): void {}

  override terminate(cause?: GatewayError): void {
    if (this.#state !== "over")
      this.error ??= cause ?? new GatewayError("draining", "The gateway broke the connection off.");
    super.terminate();
  }

  #gone(): void {
    this.error ??= new GatewayError("client_closed", "The client left before a connection was there.");
    this.#onGone?.(this.error);
    this.#finish();
  }

  #finish(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#held = [];
    this.endedAt = now();
    this.#context.hooks.onPassageDone(this);
  }
}
