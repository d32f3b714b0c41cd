import { expect, test } from "bun:test";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { authority } from "../support/certificates.ts";
import { startGrpcServer } from "../support/grpc.ts";
import { runProgram } from "../support/program.ts";
import { startProxy, type TestGateway } from "../support.ts";

type Runtime = "node" | "bun";
type Security = "in the clear" | "over TLS";

const ca = authority();
const own = ca.issue({ names: ["localhost"], otherNames: ["IP:127.0.0.1"] });
const program = (runtime: Runtime) => (runtime === "node" ? "node" : process.execPath);
const script = (name: string) => join(import.meta.dir, name);

interface Server extends AsyncDisposable {
  readonly port: number;
}

/** A process that prints its port when it serves. */
async function startUnderNode(security: Security): Promise<Server> {
  const files = security === "over TLS" ? [own.certPath, own.keyPath] : [];
  const child = Bun.spawn(["node", script("grpc-server.mjs"), ...files], { stdout: "pipe", stderr: "inherit" });
  const { value } = await child.stdout.getReader().read();
  return {
    port: Number(Buffer.from(value ?? "").toString()),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function startServer(runtime: Runtime, security: Security): Promise<Server> {
  return runtime === "node" ? startUnderNode(security) : startGrpcServer(security === "over TLS" ? own : null);
}

function startInFrontOf({ port }: Server, security: Security): Promise<TestGateway> {
  if (security === "in the clear") return startProxy(`http://127.0.0.1:${port}`, { service: { protocol: "h2c" } });
  const tls = { certificates: [{ cert: own.certPath, key: own.keyPath }] };
  return startProxy(`https://127.0.0.1:${port}`, {
    service: { protocol: "h2", tls: { ca: ca.certPath } },
    torii: { listeners: [{ name: "https", address: "127.0.0.1", port: 0, tls }] },
  });
}

const runtimes = ["node", "bun"] as const;
const sides = runtimes.flatMap((client) => runtimes.map((server) => ({ client, server })));
const cases = sides.flatMap((side) => (["in the clear", "over TLS"] as const).map((how) => ({ ...side, how })));

test.each(cases)("a gRPC client under $client and a server under $server understand each other $how", async (one) => {
  const { client, how: security } = one;
  await using server = await startServer(one.server, security);
  await using gateway = await startInFrontOf(server, security);
  const trust = security === "over TLS" ? [ca.certPath] : [];
  const to = [`localhost:${gateway.port}`, ...trust];
  const { status: exit, stdout, stderr } = await runProgram([program(client), script("grpc-client.mjs"), ...to]);
  expect([exit, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toEqual({
    runtime: client,
    unary: "hello",
    large: 3_000_000,
    fails: status.FAILED_PRECONDITION,
    deadline: status.DEADLINE_EXCEEDED,
    serverStream: 100,
    failsMidway: ["first", status.DATA_LOSS],
    clientStream: "3 messages, 6 bytes",
    bidi: ["echo a", "echo b"],
    atOnce: 50,
  });
});
