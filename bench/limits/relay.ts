import { connect, createServer, type Socket } from "node:net";

/** Passes bytes between whoever connects and a port on the loopback address, until it is told to hold them. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** From now on no byte gets through, and no connection ends: the other side has just fallen silent. */
  hold(): void;
  /** Lets through what was held, and what comes. */
  pass(): void;
}

/** Starts a relay. Disposing of it ends all its connections. */
export async function startRelay(toPort: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let isHeld = false;

  function track(socket: Socket, peer: Socket): void {
    sockets.add(socket);
    socket.on("data", (bytes) => peer.write(bytes));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      peer.destroy();
    });
    if (isHeld) socket.pause();
  }

  const server = createServer((near) => {
    const far = connect(toPort, "127.0.0.1");
    track(near, far);
    track(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a relay has no port");
  return {
    port: address.port,
    hold: () => {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    pass: () => {
      isHeld = false;
      for (const socket of sockets) socket.resume();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
