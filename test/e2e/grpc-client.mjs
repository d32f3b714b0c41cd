// A gRPC client for Node and Bun: makes one call of each kind to the address it is given, over TLS when given an
// authority to trust, and prints what came of them.
import { readFileSync } from "node:fs";
import { Client, credentials } from "@grpc/grpc-js";

const [address = "", caPath] = process.argv.slice(2);
const security = caPath === undefined ? credentials.createInsecure() : credentials.createSsl(readFileSync(caPath));
const client = new Client(address, security);
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
  runtime: process.versions.bun === undefined ? "node" : "bun",
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
