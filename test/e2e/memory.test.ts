import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";
import { exchange } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { startTorii } from "../support/process.ts";
import { closedPort } from "../support/unreachable.ts";

const MIB = 1024 * 1024;
const BOUND = 128 * MIB;
/** What a client that does not read may cost at most: what one read from its service's socket brings. */
const READ = MIB / 2;
/** So many come at once, and so many at most: what one costs depends on how much the kernel takes off the gateway. */
const WAVE = 50;
const CLIENTS = 2000;
const PATIENCE_MS = 20_000;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "torii-memory-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

interface Sending {
  left: number;
}

/** A service that sends 64 MiB as fast as it can for `/big`, and two bytes for all else. */
function startService() {
  const piece = Buffer.alloc(256 * 1024, "x");
  function pump(socket: Socket<Sending>): void {
    while (socket.data.left > 0) {
      const length = Math.min(piece.length, socket.data.left);
      const sent = socket.write(piece, 0, length);
      if (sent > 0) socket.data.left -= sent;
      if (sent < length) return;
    }
  }
  return Bun.listen<Sending>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { left: 0 };
      },
      data(socket, bytes) {
        const isBig = bytes.toString("latin1", 0, 8) === "GET /big";
        socket.data.left = isBig ? 64 * MIB : 0;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${isBig ? 64 * MIB : 2}\r\n\r\n${isBig ? "" : "ok"}`);
        pump(socket);
      },
      drain: pump,
    },
  });
}

/** A client that asks for much and reads nothing of it. */
function ask(port: number): Promise<Socket<undefined> | null> {
  return Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(socket) {
        socket.write(request("GET /big"));
        socket.pause();
      },
      data() {},
      error() {},
    },
  }).catch(() => null);
}

test("a flood of clients that do not read is shed, memory returns under its bound, and all is well again", async () => {
  const service = startService();
  const [port, status] = [closedPort(), closedPort()];
  const torii = {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: status },
    telemetry: { accessLog: { enabled: false } },
    shutdown: { delay: "0s", timeout: "0s" },
    overload: { memory: `${BOUND}B` },
  };
  const url = `http://127.0.0.1:${service.port}`;
  await mkdir(join(folder, "routes"));
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii));
  await writeFile(
    join(folder, "routes/main.yaml"),
    JSON.stringify({
      services: { up: { discover: "static", endpoints: [{ url }], maxConnections: 10_000 } },
      // Others are refused before the bound is reached, often enough to keep memory just below it.
      routes: [{ name: "all", priority: "high", matches: [{ path: "/*" }], backends: [{ service: "up" }] }],
    }),
  );
  await using gateway = startTorii(["run", "--config", "torii.yaml"], folder);
  await gateway.says(/configuration is live/);
  const facts = async () => {
    const text = await (await fetch(`http://127.0.0.1:${status}/metrics`)).text();
    return (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
  };

  let most = 0;
  const clients: (Socket<undefined> | null)[] = [];
  await eventually(
    async () => {
      const fact = await facts();
      most = Math.max(most, fact("process_resident_memory_bytes"));
      if (fact("torii_connections_cut_total") > 0) return true;
      // While accepting rests for memory there are enough; when a collection made room again there were not.
      if (fact("torii_accept_paused") === 0 && clients.length < CLIENTS) {
        clients.push(...(await Promise.all(Array.from({ length: WAVE }, () => ask(port)))));
      }
      return false;
    },
    "slow readers to be cut off",
    PATIENCE_MS,
  );
  // The clients are all still there: what brings memory down is the gateway's doing.
  await eventually(
    async () => {
      const resident = (await facts())("process_resident_memory_bytes");
      most = Math.max(most, resident);
      return resident < BOUND;
    },
    "memory to return under its bound",
    PATIENCE_MS,
  );
  expect(most).toBeLessThan(BOUND + clients.length * READ);
  for (const client of clients) client?.terminate();
  await eventually(async () => (await exchange({ port }, get())).status === 200, "requests to be served", PATIENCE_MS);
  await eventually(async () => (await facts())("torii_accept_paused") === 0, "accepting to go on", PATIENCE_MS);
  gateway.signal("SIGTERM");
  expect(await gateway.exited).toBe(0);
  service.stop(true);
}, 90_000);
