import { FrameWalker, goingAwayFrame } from "./websocket-frames.ts";

/** Takes bytes; they are valid during the call only. */
export interface FrameOutlet {
  bytes(bytes: Uint8Array): void;
}

/** One direction of a WebSocket: passes everything on until the gateway says the last word in its place. */
class Flow {
  readonly #walker = new FrameWalker();
  readonly #outlet: FrameOutlet;
  readonly #isMasked: boolean;
  #isToClose = false;
  #hasSpoken = false;

  constructor(outlet: FrameOutlet, isMasked: boolean) {
    this.#outlet = outlet;
    this.#isMasked = isMasked;
  }

  /** The sender has closed; what it sent after that is no matter. */
  get hasClosed(): boolean {
    return this.#walker.hasClosed;
  }

  pass(bytes: Uint8Array): void {
    const isEnding = this.#isToClose && !this.#hasSpoken;
    const at = this.#walker.walk(bytes, 0, isEnding);
    if (!this.#hasSpoken) this.#outlet.bytes(at === bytes.length ? bytes : bytes.subarray(0, at));
    if (!isEnding || !this.#walker.isBetween) return;
    this.#speak();
    // Only to see the answer: after a close frame nothing may follow (RFC 6455 5.5.1).
    this.#walker.walk(bytes, at, false);
  }

  /** Says 1001 as soon as no message is under way, unless the sender closes itself. */
  close(): void {
    this.#isToClose = true;
    if (this.#walker.isBetween) this.#speak();
  }

  #speak(): void {
    if (this.#hasSpoken || this.#walker.isClosing) return;
    this.#hasSpoken = true;
    this.#outlet.bytes(goingAwayFrame(this.#isMasked));
  }
}

/**
 * The frames of a WebSocket that passes through, so that it can be closed in order when the gateway goes: the client
 * is told 1001, everything that it still sends reaches the server, and so does its own closing in the end.
 */
export class WebSocketParting {
  readonly #toServer: Flow;
  readonly #toClient: Flow;

  constructor(client: FrameOutlet, server: FrameOutlet) {
    this.#toClient = new Flow(client, false);
    this.#toServer = new Flow(server, true);
  }

  /** Both have closed: the connections may end. */
  get isOver(): boolean {
    return this.#toClient.hasClosed && this.#toServer.hasClosed;
  }

  fromClient(bytes: Uint8Array): void {
    this.#toServer.pass(bytes);
  }

  fromServer(bytes: Uint8Array): void {
    this.#toClient.pass(bytes);
  }

  /** Tells the client to go, as soon as no message to it is under way. */
  begin(): void {
    this.#toClient.close();
  }

  /** Tells the server as well, for a client that does not: as soon as no message from the client is under way. */
  insist(): void {
    this.#toServer.close();
  }
}
