import { respond } from "./answers.ts";
import { connectFrames, type FrameClient, type FrameClientSetup } from "./frame-client.ts";
import { type H2Server, type H2ServerOptions, serveH2 } from "./server.ts";

export interface Pair extends Disposable {
  readonly server: H2Server;
  readonly client: FrameClient;
}

/** A server that answers `ok` unless told otherwise, and a client of it. Declare it with `using`. */
export async function startPair(
  onRequest: H2ServerOptions["onRequest"] = (exchange) => respond(exchange),
  options: Partial<H2ServerOptions> & FrameClientSetup = {},
): Promise<Pair> {
  const server = serveH2({ onRequest, ...options });
  const client = await connectFrames(server.port, options);
  return {
    server,
    client,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      server[Symbol.dispose]();
    },
  };
}
