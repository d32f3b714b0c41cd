import { type Address, connect, type RawClient } from "./client.ts";
import type { ResponseMessage } from "./message.ts";

/** The key of RFC 6455 1.3 and what a server must answer to it. */
export const SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const SAMPLE_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** A WebSocket handshake; further fields are added as they are. */
export function handshake(path = "/ws", ...fields: readonly string[]): string {
  const lines = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${SAMPLE_KEY}`,
    "Sec-WebSocket-Version: 13",
  ];
  return [`GET ${path} HTTP/1.1`, "Host: gw.test", ...lines, ...fields, "", ""].join("\r\n");
}

/** The upstream's yes to `handshake`. */
export const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${SAMPLE_ACCEPT}\r\n\r\n`;

/** A text frame below 126 bytes, masked with zeros as a client must mask. */
export function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text, "latin1")]);
}

/** Opens an upgraded connection and returns it with the 101 that came. */
export async function openTunnel(
  to: Address,
  path?: string,
): Promise<{ readonly client: RawClient; readonly response: ResponseMessage }> {
  const client = await connect(to);
  await client.send(handshake(path));
  return { client, response: await client.response() };
}

export interface WebSocketEcho extends Disposable {
  readonly port: number;
  readonly url: string;
  /** Sockets that are open now. */
  readonly open: () => number;
}

/** A WebSocket server that sends every message back; other requests get 426. Port 0 asks for a free one. */
export function startWebSocketEcho(port = 0): WebSocketEcho {
  let open = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch(request, self) {
      if (self.upgrade(request)) return undefined;
      return new Response("upgrade required", {
        status: 426,
        headers: { upgrade: "websocket", "sec-websocket-version": "13" },
      });
    },
    websocket: {
      maxPayloadLength: 64 * 1024 * 1024,
      idleTimeout: 120,
      open: () => void open++,
      close: () => void open--,
      message: (socket, message) => void socket.send(message),
    },
  });
  const bound = server.port ?? 0;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    open: () => open,
    [Symbol.dispose]: () => void server.stop(true),
  };
}
