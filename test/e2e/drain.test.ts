import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { authority } from "../support/certificates.ts";
import { connect } from "../support/client.ts";
import { get, request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { header } from "../support/message.ts";
import { startTorii, type ToriiProcess } from "../support/process.ts";
import { connectTls } from "../support/tls-client.ts";
import { closedPort } from "../support/unreachable.ts";
import { catchAll } from "../support.ts";

const PIECES = 12;
const PIECE_MS = 100;
/** One a time: curl 7.88 cannot keep a connection that it opened with prior knowledge, with whatever server. */
const HTTP2 = ["--http2-prior-knowledge", 1] as const;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "torii-drain-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

interface Service extends Disposable {
  readonly url: string;
  /** Codes with which its WebSockets were closed. */
  readonly closeCodes: number[];
}

/** A service with quick answers, slow downloads, counted uploads and WebSockets that send everything back. */
function startService(): Service {
  const closeCodes: number[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(asked, self) {
      const { pathname } = new URL(asked.url);
      if (pathname === "/ws") return self.upgrade(asked) ? undefined : new Response("no", { status: 400 });
      if (pathname === "/download") return new Response(slowly(), { headers: { "content-type": "text/plain" } });
      if (pathname === "/upload") return new Response(String((await asked.arrayBuffer()).byteLength));
      return new Response("ok");
    },
    websocket: {
      message: (socket, message) => void socket.send(message),
      close: (_socket, code) => void closeCodes.push(code),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, closeCodes, [Symbol.dispose]: () => void server.stop(true) };
}

function slowly(): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      await Bun.sleep(PIECE_MS);
      controller.enqueue(Buffer.alloc(1000, "d"));
      if (++sent === PIECES) controller.close();
    },
  });
}

interface Running extends AsyncDisposable {
  readonly torii: ToriiProcess;
  readonly port: number;
  /** Says whether a balancer would still send clients here. */
  isReady(): Promise<boolean>;
}

async function run(service: Service, shutdown: Readonly<Record<string, string>>): Promise<Running> {
  const [port, status] = [closedPort(), closedPort()];
  const torii = {
    listeners: [{ name: "http", address: "127.0.0.1", port }],
    status: { address: "127.0.0.1", port: status },
    telemetry: { accessLog: { enabled: false } },
    shutdown,
  };
  await mkdir(join(folder, "routes"));
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii));
  await writeFile(join(folder, "routes/main.yaml"), JSON.stringify(catchAll(service.url)));
  const process = startTorii(["run", "--config", "torii.yaml"], folder);
  const isReady = async () => (await fetch(`http://127.0.0.1:${status}/readyz`).catch(() => null))?.status === 200;
  await eventually(isReady, "readiness", 15_000).catch((error) => {
    throw new Error(`${error}\n${process.output()}`);
  });
  return { torii: process, port, isReady, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** Asks over a kept connection, and over a new one when it was told that the old one closes, while `goesOn`. */
async function askOnAndOn(port: number, goesOn: () => boolean): Promise<number> {
  let answered = 0;
  while (goesOn()) {
    using client = await connect({ port });
    for (let isKept = true; isKept && goesOn(); answered++) {
      await client.send(get());
      const response = await client.response();
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      isKept = header(response, "connection") !== "close";
    }
  }
  return answered;
}

/** Several requests a time, over one connection as far as that stays; what did not come to an answer. */
async function curlOnAndOn(
  port: number,
  [option, requests]: readonly [option: string, requests: number],
  goesOn: () => boolean,
): Promise<readonly string[]> {
  const failures: string[] = [];
  while (goesOn()) {
    const url = `http://127.0.0.1:${port}/[1-${requests}]`;
    const { exitCode, stdout, stderr } = await Bun.$`curl -sS ${option} -w ${"%{http_code} "} -o /dev/null ${url}`
      .quiet()
      .nothrow();
    if (exitCode !== 0 || stdout.toString() !== "200 ".repeat(requests))
      failures.push(`${exitCode} ${stdout} ${stderr}`);
  }
  return failures;
}

/** Streams of one HTTP/2 connection, a new one after each GOAWAY. */
async function streamsOnAndOn(port: number, goesOn: () => boolean): Promise<number> {
  let answered = 0;
  while (goesOn()) {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    let isGoing = false;
    session.on("goaway", () => {
      isGoing = true;
    });
    // Each stream tells what went wrong with it.
    session.on("error", () => {});
    while (!isGoing && goesOn()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stream = session.request({ ":path": "/r" });
      stream.on("response", (headers) => {
        if (headers[":status"] !== 200) reject(new Error(`status ${headers[":status"]}`));
      });
      stream.on("error", reject);
      stream.on("end", resolve);
      stream.resume();
      await promise;
      answered++;
    }
    session.close();
  }
  return answered;
}

async function upload(port: number): Promise<string> {
  using client = await connect({ port });
  await client.send(request("POST /upload", `Content-Length: ${PIECES * 1000}`));
  for (let sent = 0; sent < PIECES; sent++) {
    await Bun.sleep(PIECE_MS);
    await client.send(Buffer.alloc(1000, "u"));
  }
  return (await client.response("POST", 10_000)).body.toString();
}

async function download(port: number): Promise<number> {
  using client = await connect({ port });
  await client.send(request("GET /download"));
  return (await client.response("GET", 10_000)).body.length;
}

interface Socket {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
}

async function openSocket(port: number): Promise<Socket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const closed = Promise.withResolvers<number>();
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onclose = ({ code }) => {
    closed.resolve(code);
    opened.reject(new Error(`closed with ${code}`));
  };
  await opened.promise;
  return { socket, closed: closed.promise };
}

async function echoed({ socket }: Socket, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.onmessage = ({ data }) => resolve(String(data));
  socket.send(text);
  return await promise;
}

describe("torii run, told to end", () => {
  test("loses nothing of all that is under way, and ends with 0", async () => {
    using service = startService();
    await using running = await run(service, { delay: "1s", timeout: "10s" });
    const { port, torii } = running;
    let isBalanced = true;
    const goesOn = () => isBalanced;
    const asking = [askOnAndOn(port, goesOn), askOnAndOn(port, goesOn), streamsOnAndOn(port, goesOn)];
    const curling = [curlOnAndOn(port, ["--http1.1", 5], goesOn), curlOnAndOn(port, HTTP2, goesOn)];
    const socket = await openSocket(port);
    expect(await echoed(socket, "before")).toBe("before");
    using idle = await connect({ port });
    using late = await connect({ port });
    for (const client of [idle, late]) {
      await client.send(get());
      await client.response();
    }
    const slow = [upload(port), download(port)] as const;

    torii.signal("SIGTERM");
    await eventually(async () => !(await running.isReady()), "readiness to fail");
    // Within the delay everything is served, also on connections that were kept.
    await late.send(get());
    expect(header(await late.response(), "connection")).toBe("close");
    expect(await echoed(socket, "during the delay")).toBe("during the delay");
    expect(idle.peer.state).toBe("open");
    isBalanced = false;
    for (const answered of await Promise.all(asking)) expect(answered).toBeGreaterThan(0);
    expect((await Promise.all(curling)).flat()).toEqual([]);

    expect(await idle.peer.ending(5000)).toBe("ended");
    idle.close();
    expect(await socket.closed).toBe(1001);
    await eventually(() => service.closeCodes.length === 1, "the service's close");
    expect(service.closeCodes).toEqual([1001]);
    expect(await Promise.all(slow)).toEqual([String(PIECES * 1000), PIECES * 1000]);
    expect(await torii.exited).toBe(0);
  }, 30_000);

  test("resets what is left when the time is over, and still ends with 0", async () => {
    using service = startService();
    await using running = await run(service, { delay: "0s", timeout: "300ms" });
    using client = await connect(running);
    await client.send(request("GET /download"));
    await client.head();
    running.torii.signal("SIGTERM");
    await client.peer.ending(5000);
    expect(client.peer.text.endsWith("0\r\n\r\n")).toBe(false);
    expect(await running.torii.exited).toBe(0);
  }, 30_000);
});

test("ends the process in time when TLS clients take no notice of it", async () => {
  const server = authority().issue({ names: ["gw.test"] });
  const [port, status] = [closedPort(), closedPort()];
  const tls = { certificates: [{ cert: server.certPath, key: server.keyPath }] };
  const torii = {
    listeners: [{ name: "https", address: "127.0.0.1", port, tls }],
    status: { address: "127.0.0.1", port: status },
    shutdown: { delay: "0s", timeout: "100ms" },
  };
  await mkdir(join(folder, "routes"));
  await writeFile(join(folder, "torii.yaml"), JSON.stringify(torii));
  await writeFile(join(folder, "routes/main.yaml"), JSON.stringify(catchAll("http://127.0.0.1:9")));
  await using process = startTorii(["run", "--config", "torii.yaml"], folder);
  await process.says(/status is on/);
  using client = await connectTls({ port }, { name: "gw.test" });
  client.raw.peer.pause();
  process.signal("SIGTERM");
  expect(await Promise.race([process.exited, Bun.sleep(5000).then(() => "still there")])).toBe(0);
});
