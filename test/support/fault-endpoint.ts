import type { Socket } from "bun";
import { dropPackets } from "./packet-drop.ts";

/** What an endpoint may be told to do, beside `none`. Those that are killed or stopped are told nothing. */
export const ENDPOINT_FAULTS = [
  "none",
  "slow",
  "error",
  "garbage",
  "reset_head",
  "reset_body",
  "drip",
  "closed",
  "dropped",
] as const;

export type EndpointFault = (typeof ENDPOINT_FAULTS)[number];

/** What a GET is answered with. */
export const PAGE = "0123456789abcdef".repeat(256);

const SLOW_MS = 2000;
const DRIP_MS = 100;
/** What was written must have been read when the reset comes, which overtakes it. */
const BEFORE_RESET_MS = 20;

interface Visitor {
  received: string;
  isGone: boolean;
}

type Connection = Socket<Visitor>;

let fault: EndpointFault = "none";
let dropping: Disposable | null = null;
const connections = new Set<Connection>();

function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function later(socket: Connection, ms: number, what: () => void): void {
  setTimeout(() => {
    if (!socket.data.isGone) what();
  }, ms);
}

function resetAfter(socket: Connection, text: string): void {
  socket.write(text);
  later(socket, BEFORE_RESET_MS, () => socket.terminate());
}

function drip(socket: Connection, text: string): void {
  socket.write(text.slice(0, 1));
  if (text.length > 1) later(socket, DRIP_MS, () => drip(socket, text.slice(1)));
}

const ERROR = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

function answer(socket: Connection, path: string, body: string): void {
  const good = ok(body);
  if (fault === "slow") later(socket, SLOW_MS, () => void socket.write(good));
  // It believes itself to be well.
  else if (fault === "error") socket.write(path === "/healthz" ? good : ERROR);
  else if (fault === "garbage") socket.write("\u0000\u0001 this is no HTTP\r\n\r\n");
  else if (fault === "reset_head") resetAfter(socket, good.slice(0, 20));
  else if (fault === "reset_body") resetAfter(socket, good.slice(0, good.length - Math.ceil(body.length / 2)));
  else if (fault === "drip") drip(socket, good);
  else socket.write(good);
}

/** Answers one whole request that came; false when there is none. */
function takeRequest(socket: Connection): boolean {
  const { received } = socket.data;
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const length = Number(/^content-length: *(\d+)/im.exec(received.slice(0, end))?.[1] ?? 0);
  if (received.length < end + 4 + length) return false;
  socket.data.received = received.slice(end + 4 + length);
  const [, path = ""] = received.split(" ", 2);
  answer(socket, path, length === 0 ? PAGE : received.slice(end + 4, end + 4 + length));
  return true;
}

function become(next: EndpointFault, port: number): void {
  fault = next;
  dropping?.[Symbol.dispose]();
  dropping = next === "dropped" ? dropPackets(port) : null;
  if (next === "closed") for (const socket of connections) socket.end();
}

function listen(port: number): number {
  const server = Bun.listen<Visitor>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(socket) {
        socket.data = { received: "", isGone: false };
        connections.add(socket);
        if (fault === "closed") socket.end();
      },
      data(socket, bytes) {
        socket.data.received += bytes.toString("latin1");
        while (takeRequest(socket));
      },
      close(socket) {
        socket.data.isGone = true;
        connections.delete(socket);
      },
    },
  });
  return server.port;
}

/** Listens at the port of the command line, says where, and does what it is told until whoever started it is gone. */
function main(): void {
  const port = listen(Number(Bun.argv[2] ?? 0));
  process.on("message", (message: unknown) => {
    const told = ENDPOINT_FAULTS.find((one) => one === message);
    if (told === undefined) return;
    become(told, port);
    process.send?.(told);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(port);
}

if (import.meta.main) main();
