import { type Bench, makeDirectory, startChild, waitUntilReady } from "./fleet.ts";
import { locateProgram, takeFreePorts } from "./machine.ts";

/** The call that the backend answers. */
export const CALL_PATH = "/bench.Echo/Unary";

/** One message of ten bytes, behind its five of framing (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export const MESSAGE_BYTES = 15;

/** Starts an HTTP/2 server in the clear that answers as gRPC services do, trailers included. Returns its port. */
export async function startGrpcBackend(bench: Bench): Promise<number> {
  const program = locateProgram("nghttpd");
  if (program === null) throw new Error("nghttpd is not installed: apt-get install nghttp2-server");
  const directory = await makeDirectory(bench, "grpc-backend");
  const message = new Uint8Array(MESSAGE_BYTES);
  message[4] = MESSAGE_BYTES - 5;
  for (const path of [CALL_PATH, "/api/r0/items"]) await Bun.write(`${directory}/files${path}`, message);
  const [port = 0] = takeFreePorts(1);
  const flags = ["--no-tls", "-a", "127.0.0.1", "-d", `${directory}/files`, "-n1", "-m1000"];
  const command = [program, ...flags, "--trailer=grpc-status: 0", String(port)];
  const child = startChild(bench, { command, env: {} }, { directory, core: bench.cores.load });
  await waitUntilReady("the gRPC backend", { port, isHttp2Only: true }, child);
  return port;
}
