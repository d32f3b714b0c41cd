/** Where a side server listens, and what answers there. */
export interface ListenOptions {
  /** Of the server, for messages: `status server`. */
  readonly what: string;
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  /** More bytes of a body than that are refused by the runtime. Its own bound unless given. */
  readonly bodyBytes?: number;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly error: () => Response;
}

/** A server beside the listeners. */
export interface SideServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Stops listening and breaks open connections off. */
  close(): Promise<void>;
}

/** Starts a side server. Throws an Error that names address and port when it cannot listen there. */
export function listen({ what, address, port, bodyBytes, fetch, error }: ListenOptions): SideServer {
  try {
    const server = Bun.serve({
      hostname: address,
      port,
      development: false,
      // Without development the runtime shares its port, and another gateway would answer half of our requests.
      reusePort: false,
      idleTimeout: 30,
      ...(bodyBytes === undefined ? {} : { maxRequestBodySize: bodyBytes }),
      fetch,
      error,
    });
    return { port: server.port ?? port, close: () => server.stop(true) };
  } catch (cause) {
    throw new Error(`the ${what} cannot listen on ${address}:${port}: ${whyNot(cause)}`, { cause });
  }
}

function whyNot(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : null;
  if (code === "EADDRINUSE") return "another process has the port; end that one, or choose another";
  return cause instanceof Error ? cause.message : String(cause);
}
