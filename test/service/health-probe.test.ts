import { afterAll, expect, test } from "bun:test";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Verdict } from "../../src/service/health-check.ts";
import type { HealthCheckOptions } from "../../src/service/health-options.ts";
import { createProbe } from "../../src/service/health-probe.ts";
import type { UpstreamProtocol } from "../../src/service/options.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { serviceOptions } from "./support.ts";

const stops: (() => unknown)[] = [];
afterAll(() => Promise.all(stops.map((stop) => stop())));

const HEALTH: HealthCheckOptions = {
  type: "http",
  path: "/healthz?full=1",
  host: null,
  statuses: [[200, 299]],
  grpcService: "",
  intervalMs: 1000,
  timeoutMs: 2000,
  healthyAfter: 2,
  unhealthyAfter: 3,
};

interface Asked extends Partial<HealthCheckOptions> {
  readonly port: number;
  readonly protocol?: UpstreamProtocol;
}

/** The verdict of one check, as a text. */
async function verdict({ port, protocol = "http1", ...health }: Asked): Promise<string> {
  const authority = `127.0.0.1:${port}`;
  const parts = {
    health: { ...HEALTH, ...health },
    service: serviceOptions({ protocol }),
    deps: {
      wheel: new TimerWheel(),
      tls: () => {
        throw new Error("no TLS here");
      },
    },
  };
  const probe = createProbe({ url: `http://${authority}`, authority }, parts);
  if (probe === null) throw new Error("leads nowhere");
  const { promise, resolve } = Promise.withResolvers<Verdict>();
  probe.begin(resolve);
  const { result, reason } = await promise;
  probe.close();
  return reason === "" ? result : `${result} ${reason}`;
}

/** A server that answers each connection's first bytes so; "" says nothing. */
function speaking(answer: string | null) {
  const requests: string[] = [];
  let open = 0;
  const closed = Promise.withResolvers<void>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => void open++,
      data(socket, bytes) {
        requests.push(bytes.toString());
        if (answer === null) socket.terminate();
        else socket.write(answer);
      },
      close() {
        open--;
        closed.resolve();
      },
    },
  });
  stops.push(() => server.stop(true));
  return { port: server.port, requests, open: () => open, closed: closed.promise };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

test("asks with the path and the host, and takes the statuses that are healthy", async () => {
  const { port, requests } = speaking(OK);
  expect(await verdict({ port })).toBe("success");
  expect(await verdict({ port, host: "catalog.internal" })).toBe("success");
  const [first = "", second = ""] = requests;
  expect(first).toStartWith(
    `GET /healthz?full=1 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: torii-health-check\r\n`,
  );
  expect(second).toContain("\r\nHost: catalog.internal\r\n");
  expect(
    await verdict({
      port,
      statuses: [
        [204, 204],
        [300, 399],
      ],
    }),
  ).toBe("failure status 200");
});

test("closes its connection after the answer, even one that never ends", async () => {
  for (const answer of [OK, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun"]) {
    const { port, closed, open } = speaking(answer);
    expect(await verdict({ port })).toBe("success");
    await closed;
    expect(open()).toBe(0);
  }
});

test("fails with the status, a broken answer, a reset, a closed port and silence", async () => {
  const answers = ["HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "garbage\r\n\r\n", null];
  const said = [];
  for (const answer of answers) said.push((await verdict({ port: speaking(answer).port })).split(":")[0]);
  expect(said).toEqual(["failure status 500", "failure upstream_protocol", "failure upstream_reset"]);
  const { port, closed } = speaking("");
  expect(await verdict({ port, timeoutMs: 100 })).toBe("timeout no answer in time");
  await closed;
  expect(await verdict({ port: 1 })).toStartWith("failure upstream_connect");
});

test("connects and says nothing where TCP is checked", async () => {
  const { port, closed, requests } = speaking(OK);
  expect(await verdict({ port, type: "tcp" })).toBe("success");
  await closed;
  expect(requests).toEqual([]);
  expect(await verdict({ port: 1, type: "tcp" })).toStartWith("failure upstream_connect");
});

/** A server of HTTP/2 in the clear: `/healthz` and gRPC's health service, as whoever asks for `service` is told. */
async function h2Server() {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders & { ":path"?: string }) => {
    if (headers[":path"] !== "/grpc.health.v1.Health/Check") {
      stream.respond({ ":status": 200 });
      stream.end("ok");
      return;
    }
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      const asked = Buffer.concat(pieces);
      const service = asked.subarray(7).toString();
      if (service === "unknown") {
        stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "5" }, { endStream: true });
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, service === "sick" ? 2 : 1]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

test("speaks HTTP/2 where the service does", async () => {
  const port = await h2Server();
  expect(await verdict({ port, protocol: "h2c" })).toBe("success");
  expect(await verdict({ port, protocol: "h2c", statuses: [[204, 204]] })).toBe("failure status 200");
  expect(await verdict({ port: speaking("").port, protocol: "h2c", timeoutMs: 100 })).not.toBe("success");
});

test("asks gRPC's health service, for the server or for one service", async () => {
  const port = await h2Server();
  const ask = (grpcService: string) => verdict({ port, protocol: "h2c", type: "grpc", grpcService });
  expect(await ask("")).toBe("success");
  expect(await ask("shop.Catalog")).toBe("success");
  expect(await ask("sick")).toBe("failure NOT_SERVING");
  expect(await ask("unknown")).toBe("failure grpc-status 5");
});
