import { afterAll, describe, expect, test } from "bun:test";
import { createSecureContext } from "node:tls";
import type { Socket, TCPSocketListener } from "bun";
import { authority, type TestCertificate } from "../../support/certificates.ts";

const ca = authority();
const named = ca.issue({ names: ["good.test", "*.wild.test"] });
const listeners: TCPSocketListener<undefined>[] = [];
afterAll(() => {
  for (const listener of listeners) listener.stop(true);
});

type Handlers = NonNullable<Parameters<typeof Bun.listen<undefined>>[0]["socket"]>;

interface Serving {
  readonly certificate?: TestCertificate;
  readonly clientCa?: string;
  readonly socket?: Handlers;
}

function serve({ certificate = named, clientCa, socket = {} }: Serving = {}): number {
  const tls = { key: certificate.key, cert: certificate.cert };
  const asks = clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true, ca: clientCa };
  const listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    tls: { ...tls, ...asks },
    socket: { data() {}, ...socket },
  });
  listeners.push(listener);
  return listener.port;
}

interface Dialling {
  readonly context?: object;
  readonly serverName?: string;
  readonly socket?: Handlers;
}

const context = createSecureContext({ ca: ca.cert }).context;

function dial(port: number, { serverName = "good.test", socket = {}, ...rest }: Dialling = {}) {
  const tls = { secureContext: rest.context ?? context, serverName, rejectUnauthorized: true };
  const handlers = { data() {}, connectError() {}, ...socket };
  return Bun.connect<undefined>({ hostname: "127.0.0.1", port, allowHalfOpen: true, tls, socket: handlers });
}

interface Ended {
  readonly isAccepted: boolean;
  readonly isAuthorized: boolean;
  readonly code: string | null;
}

function codeOf(error: Error | null | undefined): string | null {
  return error !== null && error !== undefined && "code" in error ? String(error.code) : null;
}

/** How the handshake ended, as the callback says and as the socket says. */
async function handshake(port: number, options: Omit<Dialling, "socket"> = {}): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const socket = await dial(port, {
    ...options,
    socket: {
      handshake: (it, isAccepted, error) => resolve({ isAccepted, isAuthorized: it.authorized, code: codeOf(error) }),
    },
  });
  const ended = await promise;
  socket.end();
  return ended;
}

const ACCEPTED = { isAccepted: true, isAuthorized: true, code: null };
const refused = (code: string) => ({ isAccepted: false, isAuthorized: false, code });

describe("the runtime verifies a server's certificate", () => {
  test.each(["good.test", "a.wild.test", "GOOD.test"])("and accepts the name %s", async (serverName) => {
    expect(await handshake(serve(), { serverName })).toEqual(ACCEPTED);
  });

  test.each(["other.test", "a.b.wild.test", "wild.test", ""])("and refuses it for the name %j", async (serverName) => {
    expect(await handshake(serve(), { serverName })).toEqual(refused("ERR_TLS_CERT_ALTNAME_INVALID"));
  });

  test("by the address that was dialled, when it is given no name", async () => {
    const port = serve({ certificate: ca.issue({ otherNames: ["IP:127.0.0.1"] }) });
    expect(await handshake(port, { serverName: "" })).toEqual(ACCEPTED);
  });

  test("and trusts none but the authority it is given", async () => {
    const other = authority("Another CA").issue({ names: ["good.test"] });
    const code = refused("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    expect(await handshake(serve({ certificate: other }))).toEqual(code);
    const everybody = createSecureContext({}).context;
    expect(await handshake(serve(), { context: everybody })).toEqual(code);
  });

  test("and refuses one that has expired", async () => {
    const expired = ca.issue({ names: ["good.test"], days: -1 });
    expect(await handshake(serve({ certificate: expired }))).toEqual(refused("CERT_HAS_EXPIRED"));
  });

  test("and trusts an intermediate that the server sends", async () => {
    const certificate = ca.intermediate("Between").issue({ names: ["good.test"] });
    expect(await handshake(serve({ certificate }))).toEqual(ACCEPTED);
  });
});

describe("the runtime's client", () => {
  test("asks for the name it is given, and for none with an empty one", async () => {
    const asked: string[] = [];
    const told = Promise.withResolvers<void>();
    const port = serve({
      socket: {
        handshake(socket) {
          asked.push(String(socket.getServername()));
          if (asked.length === 2) told.resolve();
        },
      },
    });
    await handshake(port, { serverName: "a.wild.test" });
    await handshake(port, { serverName: "" });
    await told.promise;
    expect(asked[0]).toBe("a.wild.test");
    expect(asked[1]).not.toContain("127.0.0.1");
  });

  test("shows the certificate of its context", async () => {
    const own = ca.issue({ commonName: "gateway", usage: "client" });
    const shown = Promise.withResolvers<string>();
    const port = serve({
      clientCa: ca.cert,
      socket: { handshake: (socket) => shown.resolve(String(socket.getPeerCertificate().subject.CN)) },
    });
    const withOwn = createSecureContext({ ca: ca.cert, cert: own.cert, key: own.key }).context;
    expect(await handshake(port, { context: withOwn })).toEqual(ACCEPTED);
    expect(await shown.promise).toBe("gateway");
  });

  test("hears of the peer's demand for a certificate only after its own handshake is done", async () => {
    const closed = Promise.withResolvers<string | null>();
    const port = serve({ clientCa: ca.cert });
    let isDone = false;
    await dial(port, {
      socket: {
        handshake: (_, isAccepted) => {
          isDone = isAccepted;
        },
        error: (_, error) => closed.resolve(codeOf(error)),
      },
    });
    expect(await closed.promise).toBe("EPROTO");
    expect(isDone).toBe(true);
  });

  test("resolves before the handshake, and calls `open` then", async () => {
    const seen: string[] = [];
    const shaken = Promise.withResolvers<void>();
    const socket = await dial(serve(), {
      socket: {
        open: (it) => void seen.push(`open ${it.authorized}`),
        handshake: (it) => {
          seen.push(`handshake ${it.authorized}`);
          shaken.resolve();
        },
      },
    });
    seen.push("resolved");
    await shaken.promise;
    socket.terminate();
    expect(seen).toEqual(["open false", "resolved", "handshake true"]);
  });

  test.each([
    ["closes", (socket: Socket<undefined>) => void socket.end()],
    ["half-closes", (socket: Socket<undefined>) => socket.shutdown()],
    ["speaks no TLS", (socket: Socket<undefined>) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ])("fails its handshake with a peer that %s", async (_, answer) => {
    const listener = Bun.listen<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: { data: answer },
    });
    listeners.push(listener);
    const { isAccepted, code } = await handshake(listener.port);
    expect(isAccepted).toBe(false);
    expect(code).toMatch(/^(?:ECONNRESET|EPROTO)$/);
  });

  test("tells a reset within the handshake by `close` alone", async () => {
    const listener = Bun.listen<undefined>({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.terminate() },
    });
    listeners.push(listener);
    const closed = Promise.withResolvers<string | null>();
    let hasShaken = false;
    await dial(listener.port, {
      socket: {
        handshake: () => {
          hasShaken = true;
        },
        close: (_, error) => closed.resolve(codeOf(error)),
      },
    });
    expect(await closed.promise).toBe("ECONNRESET");
    expect(hasShaken).toBe(false);
  });

  test("resumes a session that it is given, and says again whether the peer was verified", async () => {
    const port = serve({ socket: { data: (socket, bytes) => void socket.write(bytes) } });
    let session: unknown;
    const visit = async () => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      await dial(port, {
        socket: {
          open: (socket) => {
            if (session instanceof Uint8Array) socket.setSession(Buffer.from(session));
          },
          handshake: (socket) => void socket.write("x"),
          data: (socket) => {
            session = socket.getSession();
            resolve(socket.authorized);
            socket.end();
          },
        },
      });
      return promise;
    };
    expect([await visit(), session instanceof Uint8Array, await visit()]).toEqual([true, true, true]);
  });
});

const BYTES = 24 * 1024 * 1024;
const PIECE = Buffer.alloc(1024 * 1024, 7);

/** Writes until so many bytes are out; what the kernel does not take goes when it drains. */
function writer() {
  let sent = 0;
  let shortWrites = 0;
  const push = (socket: Socket<undefined>) => {
    while (sent < BYTES) {
      const wanted = Math.min(PIECE.length, BYTES - sent);
      const taken = socket.write(PIECE, 0, wanted);
      sent += Math.max(0, taken);
      if (taken === wanted) continue;
      shortWrites++;
      return;
    }
  };
  return { push, sent: () => sent, shortWrites: () => shortWrites };
}

/** Counts bytes; pauses once on the way until it is told to go on. */
function reader() {
  const paused = Promise.withResolvers<Socket<undefined>>();
  const done = Promise.withResolvers<void>();
  let got = 0;
  let isPaused = false;
  let whilePaused = 0;
  const data = (socket: Socket<undefined>, bytes: Buffer) => {
    got += bytes.length;
    if (isPaused) whilePaused += bytes.length;
    if (got > BYTES / 4 && !isPaused) {
      isPaused = true;
      socket.pause();
      paused.resolve(socket);
    }
    if (got === BYTES) done.resolve();
  };
  const goOn = (socket: Socket<undefined>) => {
    const before = whilePaused;
    socket.resume();
    return before;
  };
  return { data, paused: paused.promise, done: done.promise, goOn, got: () => got };
}

describe("over TLS", () => {
  test("a paused reader gets nothing, its writer's writes fall short, and all arrives in the end: upload", async () => {
    const read = reader();
    const write = writer();
    await dial(serve({ socket: { data: read.data } }), { socket: { handshake: write.push, drain: write.push } });
    const socket = await read.paused;
    expect(read.goOn(socket)).toBe(0);
    expect(write.sent()).toBeLessThan(BYTES);
    await read.done;
    expect(read.got()).toBe(BYTES);
    expect(write.shortWrites()).toBeGreaterThan(0);
  });

  test("a paused reader gets nothing, its writer's writes fall short, and all arrives in the end: download", async () => {
    const read = reader();
    const write = writer();
    const port = serve({ socket: { handshake: write.push, drain: write.push } });
    await dial(port, { socket: { data: read.data, handshake() {} } });
    const socket = await read.paused;
    expect(read.goOn(socket)).toBe(0);
    await read.done;
    expect(read.got()).toBe(BYTES);
    expect(write.shortWrites()).toBeGreaterThan(0);
  });

  test("either side may end its sending and read on", async () => {
    const seen: string[] = [];
    const closed = Promise.withResolvers<void>();
    const port = serve({
      socket: {
        end(socket) {
          seen.push("server: end");
          socket.write("still");
          socket.shutdown();
        },
      },
    });
    await dial(port, {
      socket: {
        handshake(socket) {
          socket.write("x");
          socket.shutdown();
        },
        data: (_, bytes) => void seen.push(`client: ${bytes}`),
        end: (socket) => {
          seen.push("client: end");
          socket.end();
        },
        close: () => closed.resolve(),
      },
    });
    await closed.promise;
    expect(seen).toEqual(["server: end", "client: still", "client: end"]);
  });

  test("a reset arrives as one, either way", async () => {
    const atServer = Promise.withResolvers<string | null>();
    const atClient = Promise.withResolvers<string | null>();
    const breaking = serve({ socket: { data: (socket) => void socket.terminate() } });
    await dial(breaking, {
      socket: {
        handshake: (socket) => void socket.write("x"),
        close: (_, error) => atClient.resolve(codeOf(error)),
      },
    });
    const hearing = serve({
      socket: {
        handshake: (socket) => void socket.write("x"),
        close: (_, error) => atServer.resolve(codeOf(error)),
      },
    });
    await dial(hearing, { socket: { handshake() {}, data: (socket) => void socket.terminate() } });
    expect([await atClient.promise, await atServer.promise]).toEqual(["ECONNRESET", "ECONNRESET"]);
  });
});
