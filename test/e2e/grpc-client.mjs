// A gRPC client for Node: makes one call of each kind to the address it is given and prints what came of them.
import { Client, credentials } from "@grpc/grpc-js";

const [address = ""] = process.argv.slice(2);
const client = new Client(address, credentials.createInsecure());
const path = (name) => `/torii.test.Echo/${name}`;
const serialize = (text) => Buffer.from(text);
const deserialize = (bytes) => bytes.toString();

function collect(call) {
  const replies = [];
  return new Promise((resolve) => {
    call.on("data", (text) => replies.push(text));
    call.on("end", () => resolve(replies));
    call.on("error", (error) => resolve([...replies, error.code]));
  });
}

function answered(begin) {
  return new Promise((resolve) => begin((error, reply) => resolve(error === null ? reply : error.code)));
}

const unary = (name, text, options = {}) =>
  answered((done) => client.makeUnaryRequest(path(name), serialize, deserialize, text, options, done));

function clientStream(texts) {
  return answered((done) => {
    const call = client.makeClientStreamRequest(path("ClientStream"), serialize, deserialize, done);
    for (const text of texts) call.write(text);
    call.end();
  });
}

function bidi(texts) {
  const call = client.makeBidiStreamRequest(path("Bidi"), serialize, deserialize);
  for (const text of texts) call.write(text);
  call.end();
  return collect(call);
}

const serverStream = (name, text) => collect(client.makeServerStreamRequest(path(name), serialize, deserialize, text));

const outcomes = {
  runtime: process.release.name + (process.versions.bun ?? ""),
  unary: await unary("Unary", "hello"),
  large: (await unary("Unary", "x".repeat(3_000_000))).length,
  fails: await unary("Fails", "x"),
  deadline: await unary("Hangs", "x", { deadline: Date.now() + 200 }),
  serverStream: (await serverStream("ServerStream", "100")).length,
  failsMidway: await serverStream("FailsMidway", "x"),
  clientStream: await clientStream(["a", "bb", "ccc"]),
  bidi: await bidi(["a", "b"]),
  atOnce: new Set(await Promise.all(Array.from({ length: 50 }, (_, i) => unary("Unary", `call ${i}`)))).size,
};
client.close();
process.stdout.write(JSON.stringify(outcomes));
