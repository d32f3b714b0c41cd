import { status } from "@grpc/grpc-js";
import { authority } from "../../test/support/certificates.ts";
import { ECHO, type GrpcClient, grpcClient } from "../../test/support/grpc.ts";
import { type Actor, each, type Performance } from "./actor.ts";
import { type MixedEdge, NAME } from "./edge.ts";
import { expectSame } from "./http1.ts";

function open(edge: MixedEdge): GrpcClient {
  const options = { "grpc.ssl_target_name_override": NAME, "grpc.default_authority": NAME };
  // Without a pool of its own each client would share its session with all others.
  return grpcClient(`127.0.0.1:${edge.ports.https}`, authority().cert, {
    ...options,
    "grpc.use_local_subchannel_pool": 1,
  });
}

async function unary(client: GrpcClient, text: string): Promise<void> {
  const { error, reply, trailing } = await client.unary("unary", { text });
  if (error !== null) throw error;
  expectSame("reply", reply, text);
  expectSame("trailing metadata", trailing?.get("trailing-key")[0], "trailing value");
}

async function bidi(client: GrpcClient): Promise<void> {
  const texts = Array.from({ length: 20 }, (_, at) => `text ${at}`);
  const { error, replies } = await client.bidi(texts);
  if (error !== null) throw error;
  expectSame("replies", replies.join(), texts.map((text) => `echo ${text}`).join());
}

async function streams(client: GrpcClient): Promise<void> {
  const { error, replies } = await client.serverStream("serverStream", "100");
  if (error !== null) throw error;
  expectSame("replies", replies.length, 100);
  const { error: other, reply } = await client.clientStream(["a", "bc", "def"]);
  if (other !== null) throw other;
  expectSame("reply", reply, "3 messages, 6 bytes");
}

async function refused(client: GrpcClient): Promise<void> {
  const { error } = await client.unary("fails");
  expectSame("code", error?.code, status.FAILED_PRECONDITION);
}

/** A call that its client gives up, and one whose deadline passes. */
async function givenUp(client: GrpcClient): Promise<void> {
  const cancelled = await client.unary("hangs", { cancelled: Bun.sleep(50) });
  expectSame("code", cancelled.error?.code, status.CANCELLED);
  const late = await client.unary("hangs", { deadlineMs: 100 });
  expectSame("code", late.error?.code, status.DEADLINE_EXCEEDED);
}

const bytesOf = (text: string) => Buffer.from(text);
const textOf = (bytes: Buffer) => bytes.toString();

/** A stream with a way to ask over it. */
function openBidi(client: GrpcClient) {
  const call = client.raw.makeBidiStreamRequest(ECHO.bidi.path, bytesOf, textOf);
  let waiting = Promise.withResolvers<string>();
  call.on("data", (text: string) => waiting.resolve(text));
  call.on("error", (error: Error) => waiting.reject(error));
  call.on("end", () => waiting.reject(new Error("the stream has ended")));
  return {
    async ask(text: string): Promise<void> {
      waiting = Promise.withResolvers<string>();
      call.write(text);
      expectSame("reply", await waiting.promise, `echo ${text}`);
    },
    cancel(): void {
      // What comes of it concerns nobody.
      waiting.promise.catch(() => {});
      call.cancel();
    },
  };
}

async function cancelledMidway(client: GrpcClient): Promise<void> {
  const stream = openBidi(client);
  await stream.ask("one");
  await stream.ask("two");
  stream.cancel();
}

function keptStream(edge: MixedEdge): Performance {
  const client = open(edge);
  const stream = openBidi(client);
  let asked = 0;
  return {
    act: () => stream.ask(`kept ${asked++}`),
    close() {
      stream.cancel();
      client[Symbol.dispose]();
    },
  };
}

/** Acts on a channel that is kept. */
function on(name: string, everyMs: number, act: (client: GrpcClient) => Promise<void>): Actor {
  return {
    name: `gRPC ${name}`,
    everyMs,
    start(edge) {
      const client = open(edge);
      return { act: () => act(client), close: () => client[Symbol.dispose]() };
    },
  };
}

/** gRPC over TLS. */
export const GRPC_ACTORS: readonly Actor[] = [
  on("unary", 40, (client) => unary(client, "hello")),
  on("unary of 100 KB", 500, (client) => unary(client, "x".repeat(100_000))),
  on("bidi", 300, bidi),
  on("streams", 500, streams),
  on("refused", 500, refused),
  on("given up", 500, givenUp),
  on("cancelled midway", 200, cancelledMidway),
  { name: "gRPC bidi that stays", everyMs: 1000, start: keptStream },
  {
    name: "gRPC on a new channel",
    everyMs: 1000,
    start: each(async (edge) => {
      using client = open(edge);
      await unary(client, "new");
    }),
  },
];
