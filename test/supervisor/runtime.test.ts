import { describe, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import type { SocketHandler } from "bun";
import { openShared } from "../../src/supervisor/listening-socket.ts";

/** Facts of the runtime and of the kernel that workers lean on. */

function listenOn(fd: number, socket: SocketHandler): { stop(): void } {
  // Undocumented: with a descriptor, address and port do not count.
  return Bun.listen({ hostname: "127.0.0.1", port: 0, ...{ fd }, socket });
}

const SENDER: SocketHandler = {
  open(socket) {
    socket.end("served");
  },
  data() {},
};

/** Connects, and resolves with all that came when the other side has ended. */
function read(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_socket, bytes) {
        text += bytes.toString();
      },
      end: (socket) => void socket.end(),
      close: () => resolve(text),
    },
  }).catch(reject);
  return promise;
}

describe("the runtime", () => {
  test("accepts on a descriptor, and closes it when it stops", async () => {
    const { fd, port } = openShared("127.0.0.1", 0);
    const server = listenOn(fd, SENDER);
    expect(await read(port)).toBe("served");
    server.stop();
    expect(() => closeSync(fd)).toThrow("EBADF");
  });

  test("may stop twice", () => {
    const { fd } = openShared("127.0.0.1", 0);
    const server = listenOn(fd, SENDER);
    server.stop();
    expect(() => server.stop()).not.toThrow();
  });

  test("gives a child its descriptors from 3 on, the channel of messages after them", async () => {
    const { fd, port } = openShared("127.0.0.1", 0);
    const said = Promise.withResolvers<unknown>();
    const child = Bun.spawn([process.execPath, "-e", CHILD], {
      stdio: ["ignore", "ignore", "inherit", fd],
      serialization: "json",
      ipc: said.resolve,
    });
    expect(await said.promise).toEqual({ isListening: true });
    expect(await read(port)).toBe("from the child");
    child.kill("SIGKILL");
    await child.exited;
    // The parent's descriptor is its own: what comes now waits for the next one.
    const late = read(port);
    const server = listenOn(fd, SENDER);
    expect(await late).toBe("served");
    server.stop();
  });

  test("hands over what a child said before its parent closed the channel", async () => {
    const texts: unknown[] = [];
    const child = Bun.spawn([process.execPath, "-e", TALKER], {
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "json",
      ipc(message) {
        texts.push(message);
        if (message === "last") child.disconnect();
      },
    });
    expect(await child.exited).toBe(7);
    expect(texts).toEqual(["x".repeat(1_000_000), "last"]);
  });
});

const CHILD = `Bun.listen({ fd: 3, socket: { open(s) { s.end("from the child") }, data() {} } });
process.send({ isListening: true });`;

const TALKER = `process.on("disconnect", () => process.exit(7));
process.send("x".repeat(1_000_000));
process.send("last");`;
