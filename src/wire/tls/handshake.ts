import { inEvent } from "../event.ts";
import type { ClientInfo } from "../exchange.ts";
import { type ConnectionSocket, httpConnection } from "../handover.ts";
import type { HandshakeResult, ServerConnection } from "../listener-context.ts";
import type { OpenEntry } from "../listener-entry.ts";
import { socketEvents } from "../socket-events.ts";
import { Timer } from "../timer-wheel.ts";
import type { ClientHello } from "./client-hello.ts";
import { judgeHandshake } from "./handshake-outcome.ts";
import type { TlsPolicy } from "./policy.ts";
import { upgradeSocket } from "./upgrade-socket.ts";

export interface HandshakeOptions {
  readonly entry: OpenEntry;
  readonly policy: TlsPolicy;
  readonly hello: ClientHello;
  readonly client: ClientInfo;
  /** Time that is left for it. */
  readonly timeoutMs: number;
  /** Another connection has the socket from now on. */
  readonly onReplaced: (connection: ServerConnection) => void;
}

/** So long a client without a certificate may take to leave. */
const LINGER_MS = 2000;

/** A connection while its TLS handshake is done; then it hands the socket over. */
export class Handshake extends Timer implements ServerConnection {
  readonly #options: HandshakeOptions;
  #socket: ConnectionSocket | null = null;
  #isOver = false;

  constructor(options: HandshakeOptions) {
    super();
    this.#options = options;
  }

  /** Begins with what was read already, from the ClientHello on. `secureContext` is what the policy chose. */
  begin(socket: ConnectionSocket, secureContext: object, bytes: Buffer): void {
    const { entry, policy, timeoutMs } = this.#options;
    entry.context.wheel.arm(this, Math.max(timeoutMs, 1));
    const tls = upgradeSocket(socket, { policy, secureContext, owner: this, bytes, handlers: HANDLERS });
    this.#socket ??= tls;
  }

  onHandshake(socket: ConnectionSocket, isDone: boolean, error: Error | null): void {
    if (this.#isOver) return;
    this.#socket = socket;
    const { entry, policy, hello, client, onReplaced } = this.#options;
    const { result, info } = judgeHandshake({ socket, policy, hello, isDone, error });
    this.#ended(result, info?.version ?? null);
    if (info === null) {
      if (result === "certificate") this.#linger(socket);
      else socket.terminate();
      return;
    }
    const origin = { context: entry.context, client: { ...client, tls: info }, isHttp2: info.alpn === "h2" };
    onReplaced(httpConnection(socket, origin));
  }

  onData(): void {}

  onDrain(): void {}

  onEnd(): void {
    this.terminate();
  }

  onClose(isReset: boolean): void {
    this.#options.entry.context.wheel.remove(this);
    this.#ended(isReset ? "reset" : "protocol", null);
    this.#options.entry.context.closed(this);
  }

  override fire(): void {
    this.#ended("timeout", null);
    this.terminate();
  }

  drain(): void {}

  goAway(): void {}

  /** The time for a request's head bounds it already. */
  readonly heldBytes = 0;

  closeIdle(): void {}

  close(): void {
    this.terminate();
  }

  terminate(): void {
    this.#socket?.terminate();
  }

  /** The client has sent its request already: a reset would overtake the alert that tells why it is not read. */
  #linger(socket: ConnectionSocket): void {
    this.#options.entry.context.wheel.arm(this, LINGER_MS);
    socket.end();
  }

  #ended(result: HandshakeResult, version: "TLSv1.2" | "TLSv1.3" | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { wheel, hooks, name: listener } = this.#options.entry.context;
    wheel.remove(this);
    hooks.onHandshake({ listener, result, version });
  }
}

const HANDLERS = {
  ...socketEvents<ServerConnection>(),
  handshake(socket: ConnectionSocket, isDone: boolean, error: Error | null): void {
    const { data: owner } = socket;
    if (owner instanceof Handshake) inEvent(owner, () => owner.onHandshake(socket, isDone, error));
  },
};
