import { type Address, connect, type RawClient } from "./client.ts";
import type { UpstreamConnection } from "./upstream.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

const EVENTS = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

async function sendEvents(connection: UpstreamConnection, everyMs: number): Promise<void> {
  await connection.request(600_000);
  await connection.send(EVENTS);
  for (let id = 0; !connection.peer.isGone; id++) {
    const event = `data: ${id}\n\n`;
    await connection.send(`${event.length.toString(16)}\r\n${event}\r\n`);
    await Bun.sleep(everyMs);
  }
}

/** A service that answers every request with an endless stream of numbered events. */
export function startEvents(everyMs: number): Upstream {
  return startUpstream((connection) => sendEvents(connection, everyMs));
}

/** A stream of numbered events through the gateway. */
export interface EventStream extends Disposable {
  readonly client: RawClient;
  /** The number of the newest event, -1 before the first. */
  newest(): number;
  readonly isOpen: () => boolean;
}

/** Opens an event stream; resolves when its first event is there. */
export async function openEvents(to: Address, request: string): Promise<EventStream> {
  const client = await connect(to);
  await client.send(request);
  const newest = () => Number(/.*data: (\d+)\n/s.exec(client.peer.text)?.[1] ?? -1);
  await client.peer.until(() => newest() >= 0, "the first event");
  return { client, newest, isOpen: () => client.peer.state === "open", [Symbol.dispose]: () => client.peer.reset() };
}

/** A WebSocket with a count of what came back. */
export interface EchoSocket extends Disposable {
  /** Sends a text and waits for it to come back; rejects when the socket closes. */
  ask(text: string): Promise<void>;
  readonly isOpen: () => boolean;
}

/** Opens a WebSocket to an echo service; rejects when it cannot be opened. */
export async function openEchoSocket(url: string): Promise<EchoSocket> {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  let waiting: PromiseWithResolvers<string> | null = null;
  socket.onopen = () => opened.resolve();
  socket.onmessage = ({ data }) => waiting?.resolve(String(data));
  socket.onclose = () => {
    opened.reject(new Error("the WebSocket closed"));
    waiting?.reject(new Error("the WebSocket closed"));
  };
  await opened.promise;
  return {
    async ask(text) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error("the WebSocket is closed");
      waiting = Promise.withResolvers<string>();
      socket.send(text);
      const back = await waiting.promise;
      if (back !== text) throw new Error(`${text} came back as ${back}`);
    },
    isOpen: () => socket.readyState === WebSocket.OPEN,
    [Symbol.dispose]: () => socket.close(),
  };
}
