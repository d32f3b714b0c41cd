// A gRPC server for Node, as test/support/grpc.ts has one: over TLS when given a certificate and a key. Prints its port.
import { readFileSync } from "node:fs";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";

const [certPath, keyPath] = process.argv.slice(2);
const serialize = (text) => Buffer.from(text);
const deserialize = (bytes) => bytes.toString();

const method = (name, requestStream, responseStream) => ({
  path: `/torii.test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
});

const service = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidi: method("Bidi", true, true),
  fails: method("Fails", false, false),
  failsMidway: method("FailsMidway", false, true),
  hangs: method("Hangs", false, false),
};

const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(service, {
  unary: (call, answer) => answer(null, call.request),
  serverStream(call) {
    for (let i = 0; i < Number(call.request); i++) call.write(`message ${i}`);
    call.end();
  },
  clientStream(call, answer) {
    let [count, bytes] = [0, 0];
    call.on("data", (text) => {
      count++;
      bytes += text.length;
    });
    call.on("end", () => answer(null, `${count} messages, ${bytes} bytes`));
  },
  bidi(call) {
    call.on("data", (text) => call.write(`echo ${text}`));
    call.on("end", () => call.end());
  },
  fails: (_, answer) => answer({ code: status.FAILED_PRECONDITION, details: "as asked" }),
  failsMidway(call) {
    call.write("first");
    call.emit("error", { code: status.DATA_LOSS, details: "midway" });
  },
  hangs() {},
});

const own =
  certPath === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(certPath), private_key: readFileSync(keyPath) }]);
server.bindAsync("127.0.0.1:0", own, (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${port}\n`);
});
