import { type GrpcServer, startGrpcServer } from "../../test/support/grpc.ts";
import { closedPort } from "../../test/support/unreachable.ts";
import { startWebSocketEcho, type WebSocketEcho } from "../../test/support/websocket.ts";
import { checkPattern, pattern } from "./pattern.ts";

/** A certificate and its key, as PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What stands behind the gateway. */
export interface Origins extends AsyncDisposable {
  /** `http://…`: HTTP/1.1, and HTTP/2 by prior knowledge. */
  readonly plain: string;
  /** `https://…`, HTTP/1.1 and HTTP/2. */
  readonly secure: string;
  readonly grpc: GrpcServer;
  readonly sockets: WebSocketEcho;
  /** Sends bytes back, and ends when its client ends. */
  readonly pipePort: number;
  readonly mortal: Mortal;
}

/** An endpoint that dies and returns, on one port. */
export interface Mortal {
  readonly url: string;
  /** Breaks all of its connections off. */
  die(): Promise<void>;
  live(): void;
}

async function received(request: Request): Promise<number> {
  const check = checkPattern();
  for await (const piece of request.body ?? []) check.add(piece);
  return check.length;
}

/** `/…/text/…` gives its own path, `/…/bytes/N` the pattern, `/…/sum` the length of the pattern that it was sent. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, , kind, rest = ""] = pathname.split("/");
  if (kind === "bytes") return new Response(pattern(Number(rest)));
  if (kind !== "sum") return new Response(pathname);
  // Who sends it may break it off; what is wrong with a whole one is told.
  return new Response(String(await received(request).catch(String)));
}

function serve(port: number, tls: Pair | null) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    http2: true,
    // Beyond the gateway's own, so that it is never here that a kept connection ends.
    idleTimeout: 250,
    ...(tls === null ? {} : { tls }),
    fetch: answer,
  });
  const bound = server.port ?? 0;
  return {
    port: bound,
    url: `${tls === null ? "http" : "https"}://127.0.0.1:${bound}`,
    close: () => server.stop(true),
  };
}

function startMortal(): Mortal & AsyncDisposable {
  const port = closedPort();
  let server: ReturnType<typeof serve> | null = serve(port, null);
  const die = async () => {
    await server?.close();
    server = null;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    die,
    live: () => {
      server ??= serve(port, null);
    },
    [Symbol.asyncDispose]: die,
  };
}

interface Echoing {
  waiting: Buffer[];
  hasEnded: boolean;
}

function flush(socket: Bun.Socket<Echoing>): void {
  const { data } = socket;
  const bytes = Buffer.concat(data.waiting);
  const written = Math.max(0, socket.write(bytes));
  data.waiting = written < bytes.length ? [bytes.subarray(written)] : [];
  if (written < bytes.length) return void socket.pause();
  if (data.hasEnded) socket.end();
  else socket.resume();
}

function startPipeEcho() {
  const server = Bun.listen<Echoing>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => {
        socket.data = { waiting: [], hasEnded: false };
      },
      data(socket, bytes) {
        socket.data.waiting.push(Buffer.from(bytes));
        if (socket.data.waiting.length === 1) flush(socket);
      },
      drain: flush,
      end: (socket) => {
        socket.data.hasEnded = true;
        if (socket.data.waiting.length === 0) socket.end();
      },
    },
  });
  return { port: server.port, close: () => server.stop(true) };
}

/** Starts them all on free ports. */
export async function startOrigins(tls: Pair): Promise<Origins> {
  const [plain, secure, mortal, pipe] = [serve(0, null), serve(0, tls), startMortal(), startPipeEcho()];
  const [grpc, sockets] = [await startGrpcServer(), startWebSocketEcho()];
  return {
    plain: plain.url,
    secure: secure.url,
    grpc,
    sockets,
    pipePort: pipe.port,
    mortal,
    async [Symbol.asyncDispose]() {
      sockets[Symbol.dispose]();
      await Promise.all([plain.close(), secure.close(), mortal.die(), grpc[Symbol.asyncDispose]()]);
      pipe.close();
    },
  };
}
