import { parseResponse, type ResponseMessage } from "./message.ts";
import { Peer, PeerError, peerHandlers } from "./peer.ts";

export interface Address {
  readonly port: number;
  /** 127.0.0.1 by default. */
  readonly address?: string;
}

/** What came back for a request, and how the connection stands afterwards. */
export interface Outcome {
  readonly message: ResponseMessage | null;
  readonly state: Peer["state"];
}

/** A raw HTTP/1.1 client: sends exactly the bytes it is given and reads answers exactly. */
export class RawClient {
  readonly peer: Peer;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  send(data: string | Uint8Array): Promise<void> {
    return this.peer.send(data);
  }

  /** The next response (1xx are responses of their own), consumed; rejects when it does not come whole. */
  async response(method = "GET", timeoutMs?: number): Promise<ResponseMessage> {
    const { message, state } = await this.outcome(method, timeoutMs);
    if (message?.isComplete) return message;
    throw new PeerError(
      `the response is not whole, the connection is ${state}: ${JSON.stringify(this.peer.text.slice(0, 300))}`,
    );
  }

  /** Whole responses up to the first final one. */
  async responses(method = "GET"): Promise<readonly ResponseMessage[]> {
    const all: ResponseMessage[] = [];
    do all.push(await this.response(method));
    while ((all.at(-1)?.status ?? 0) < 200);
    return all;
  }

  /** The next response as soon as its head is there, not consumed. */
  async head(method = "GET", timeoutMs?: number): Promise<ResponseMessage> {
    await this.peer.until(() => this.#parse(method) !== null, "a response head", timeoutMs);
    const message = this.#parse(method);
    if (message === null) throw new PeerError("the response head is gone");
    return message;
  }

  /** The next response, consumed when it is whole, or what there was of it when the connection ended. */
  async outcome(method = "GET", timeoutMs?: number): Promise<Outcome> {
    const isSettled = () => (this.#parse(method)?.isComplete ?? false) || this.peer.state !== "open";
    await this.peer.until(isSettled, "a response or the end", timeoutMs);
    // A server that ended its side may still reset; a truncated answer says the same either way.
    const message = this.#parse(method);
    if (message?.isComplete) this.peer.consume(message.length);
    return { message, state: this.peer.state };
  }

  /** True when nothing more comes within the given time: neither bytes nor an end. */
  async staysQuiet(forMs: number): Promise<boolean> {
    const before = this.peer.receivedBytes;
    return await this.peer
      .until(() => this.peer.receivedBytes > before || this.peer.state !== "open", "silence", forMs)
      .then(
        () => false,
        () => this.peer.state === "open",
      );
  }

  close(): void {
    this.peer.close();
  }

  [Symbol.dispose](): void {
    if (!this.peer.isGone) this.peer.reset();
  }

  #parse(method: string): ResponseMessage | null {
    return parseResponse(this.peer.received, {
      method,
      hasEnded: this.peer.state === "ended" || this.peer.state === "closed",
    });
  }
}

/** Connects; rejects with the socket's error. The caller closes, or declares it with `using`. */
export async function connect(to: Address): Promise<RawClient> {
  const peer = await new Promise<Peer>((resolve, reject) => {
    Bun.connect<Peer>({
      hostname: to.address ?? "127.0.0.1",
      port: to.port,
      allowHalfOpen: true,
      socket: {
        ...peerHandlers,
        open(socket) {
          socket.data = new Peer(socket);
          resolve(socket.data);
        },
        connectError: (_socket, error) => reject(error),
      },
    }).catch(reject);
  });
  return new RawClient(peer);
}

/** One request on a connection of its own; the whole final answer. */
export async function exchange(to: Address, request: string, method = "GET"): Promise<ResponseMessage> {
  using client = await connect(to);
  await client.send(request);
  const all = await client.responses(method);
  const last = all.at(-1);
  if (last === undefined) throw new PeerError("no response");
  return last;
}
