import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { metric } from "../gateway/support.ts";
import { authority } from "../support/certificates.ts";
import { connect } from "../support/client.ts";
import { eventually } from "../support/load.ts";
import { closedPort } from "../support/unreachable.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { startGateway, type TestGateway } from "../support.ts";

const ca = authority();
const names = { name: "names", protocol: "tls_passthrough", address: "127.0.0.1", port: 0 };

/** A TLS server that says its name to every client, and ends with it. */
function startNamed(text: string, hosts: readonly string[]): Upstream {
  const { cert, key } = ca.issue({ names: hosts });
  return startUpstream(
    async ({ peer }) => {
      await peer.send(text);
      await peer.ending();
      peer.close();
    },
    { tls: { cert, key } },
  );
}

function namesRoutes(a: number, rest: number) {
  return {
    services: {
      a: { discover: "static", endpoints: [{ url: `https://127.0.0.1:${a}` }] },
      rest: { discover: "static", endpoints: [{ url: `https://127.0.0.1:${rest}` }] },
    },
    routes: [
      { name: "a", listeners: ["names"], hostnames: ["a.test"], backends: [{ service: "a" }] },
      { name: "wild", listeners: ["names"], hostnames: ["*.wild.test"], backends: [{ service: "rest" }] },
    ],
  };
}

function startNames(a: number, rest: number): Promise<TestGateway> {
  return startGateway({
    torii: {
      listeners: [names],
    },
    routes: namesRoutes(a, rest),
  });
}

/** What the server of that name says, over TLS verified from end to end. */
async function asked(port: number, servername: string, alpn: readonly string[] = []): Promise<string> {
  const socket: TLSSocket = connectTls({
    host: "127.0.0.1",
    port,
    servername,
    ca: ca.cert,
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  });
  try {
    const [bytes]: Buffer[] = await once(socket, "data");
    return bytes?.toString() ?? "";
  } finally {
    socket.destroy();
  }
}

describe("a tls_passthrough listener", () => {
  test("leads each client to the service of the name that it asks for, whose own certificate it sees", async () => {
    await using a = startNamed("this is a", ["a.test"]);
    await using rest = startNamed("this is the rest", ["*.wild.test"]);
    await using gateway = await startNames(a.port, rest.port);
    expect(await asked(gateway.port, "a.test")).toBe("this is a");
    expect(await asked(gateway.port, "x.wild.test")).toBe("this is the rest");
    const line = await gateway.logged((one) => one["host"] === "x.wild.test");
    expect(line).toMatchObject({ protocol: "tls", route: "wild", service: "rest", attempts: 1 });
  });

  test("tells a client that asks for a name of nobody's by a TLS alert", async () => {
    await using gateway = await startNames(closedPort(), closedPort());
    await expect(asked(gateway.port, "nobody.test")).rejects.toThrow(/unrecognized|alert/i);
    expect(await gateway.logged((one) => one["host"] === "nobody.test")).toMatchObject({
      route: null,
      flags: ["route_not_found"],
    });
    const labels = 'route="",result="route_not_found"';
    expect(await metric(gateway, "torii_passthrough_connections_total", labels)).toBe(1);
  });

  test("reads a ClientHello however it is cut", async () => {
    await using a = startNamed("this is a", ["a.test"]);
    await using gateway = await startNames(a.port, closedPort());
    const hello = await helloOf("a.test");
    const client = await gateway.connect();
    await client.peer.sendSplit(
      hello,
      Array.from({ length: 60 }, (_, at) => at + 1),
    );
    // The server's answer: a handshake record.
    expect((await client.peer.take(1))[0]).toBe(22);
  });

  test("passes what an openssl server and client say to each other", async () => {
    const { certPath, keyPath } = ca.issue({ names: ["a.test"] });
    const port = closedPort();
    const words = ["s_server", "-accept", `127.0.0.1:${port}`, "-cert", certPath, "-key", keyPath, "-rev", "-quiet"];
    const server = Bun.spawn(["openssl", ...words], { stdout: "ignore", stderr: "ignore", stdin: "ignore" });
    try {
      await eventually(() => accepts(port), "openssl's server");
      await using gateway = await startNames(port, closedPort());
      const to = ["-connect", `127.0.0.1:${gateway.port}`, "-servername", "a.test", "-CAfile", ca.certPath];
      const client = Bun.spawn(["openssl", "s_client", "-quiet", "-verify_return_error", ...to], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "ignore",
      });
      client.stdin.write("drawer\n");
      await client.stdin.flush();
      const { value } = await client.stdout.getReader().read();
      expect(Buffer.from(value ?? []).toString()).toBe("reward\n");
      client.kill();
      await client.exited;
    } finally {
      server.kill();
      await server.exited;
    }
  });
});

async function accepts(port: number): Promise<boolean> {
  const client = await connect({ port }).catch(() => null);
  client?.close();
  return client !== null;
}

/** The first bytes of a real client that asks for a name. */
async function helloOf(servername: string): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_socket, bytes) => resolve(Buffer.from(bytes)) },
  });
  const socket = connectTls({ host: "127.0.0.1", port: server.port, servername });
  socket.on("error", () => {});
  const hello = await promise;
  socket.destroy();
  return hello;
}
