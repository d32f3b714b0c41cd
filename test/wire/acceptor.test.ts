import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, openSync, readdirSync } from "node:fs";
import { type Acceptor, createAcceptor, type ListenAt } from "../../src/wire/acceptor.ts";
import { duplicate } from "../../src/wire/libc.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/load.ts";

let acceptor: Acceptor | null = null;

afterEach(() => {
  acceptor?.stop();
  acceptor = null;
});

/** Accepts on a free port and answers each byte with one; `onOpen` is called with the number of those accepted. */
function accepting(
  onOpen: (accepted: number) => void = () => {},
  where: ListenAt = { hostname: "127.0.0.1", port: 0 },
): Acceptor {
  let accepted = 0;
  const listen = (at: ListenAt) =>
    Bun.listen({
      // The runtime takes a descriptor, its types do not know.
      ...(at as { readonly hostname: string; readonly port: number }),
      socket: {
        open: () => onOpen(++accepted),
        data: (socket) => void socket.write("."),
      },
    });
  acceptor = createAcceptor(listen, where);
  return acceptor;
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("accepting on this runtime", () => {
  test("rests from within the acceptance of a connection; the kernel takes those that come, and they are served later", async () => {
    let accepted = 0;
    const paused = accepting((count) => {
      accepted = count;
      if (count === 3) paused.pause();
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect({ port: paused.port })));
    await Promise.all(clients.map((client) => client.send("x")));
    await clients[0]?.peer.until(() => accepted === 3, "three connections");
    expect([paused.isPaused, accepted]).toEqual([true, 3]);
    // One that is refused or reset could not be answered later.
    expect(clients.map(({ peer }) => peer.state)).toEqual(clients.map(() => "open"));
    expect(paused.resume()).toBe(true);
    await Promise.all(clients.map(({ peer }) => peer.until(() => peer.text === ".", "an answer")));
    expect(accepted).toBe(20);
    for (const client of clients) client.close();
  });

  test("keeps its port, and leaves no descriptor behind however often it rests", async () => {
    const pausing = accepting();
    const before = descriptors();
    for (let i = 0; i < 50; i++) expect([pausing.pause(), pausing.resume()]).toEqual([true, true]);
    await eventually(() => descriptors() === before, "descriptors to be closed");
    const client = await connect({ port: pausing.port });
    await client.send("x");
    await client.peer.until(() => client.peer.text === ".", "an answer");
    client.close();
  });

  test("that cannot begin again says so, keeps no descriptor, and is tried once more", async () => {
    let isRefused = false;
    const refusing = createAcceptor(
      (at) => {
        if (isRefused) throw new Error("no memory for it");
        return Bun.listen({ ...(at as { readonly hostname: string; readonly port: number }), socket: { data() {} } });
      },
      { hostname: "127.0.0.1", port: 0 },
    );
    acceptor = refusing;
    refusing.pause();
    const before = descriptors();
    isRefused = true;
    for (let i = 0; i < 5; i++) expect([refusing.resume(), refusing.isPaused]).toEqual([false, true]);
    expect(descriptors()).toBe(before);
    isRefused = false;
    expect([refusing.resume(), refusing.isPaused]).toEqual([true, false]);
    (await connect({ port: refusing.port })).close();
  });

  test("leaves a descriptor to whoever gave it when it is none to listen on", () => {
    const fd = openSync("/dev/null", "r");
    expect(() =>
      Bun.listen({ ...({ fd } as object as { hostname: string; port: number }), socket: { data() {} } }),
    ).toThrow();
    // It would throw, were it closed.
    expect(fstatSync(fd).isCharacterDevice()).toBe(true);
    closeSync(fd);
  });

  test("is over for good when it is stopped while it rests", async () => {
    const stopping = accepting();
    stopping.pause();
    stopping.stop();
    stopping.stop();
    expect(stopping.resume()).toBe(false);
    expect(await connect({ port: stopping.port }).catch(() => null)).toBeNull();
  });

  test("tells the port of a socket that it was given", () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const fd = "fd" in other && typeof other.fd === "number" ? duplicate(other.fd) : null;
    if (fd === null) throw new Error("the runtime does not tell its descriptor");
    expect(accepting(undefined, { fd }).port).toBe(other.port);
    other.stop(true);
  });
});
