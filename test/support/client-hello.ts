/** The bytes with which OpenSSL's client begins, taken from the wire. */
export async function clientHello(...args: readonly string[]): Promise<Buffer> {
  const taken = Promise.withResolvers<Buffer>();
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        taken.resolve(Buffer.from(bytes));
        socket.end();
      },
    },
  });
  const to = ["-connect", `127.0.0.1:${server.port}`, ...args];
  const client = Bun.spawn(["openssl", "s_client", ...to], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const bytes = await taken.promise;
  await client.exited;
  server.stop(true);
  return bytes;
}

/** The same handshake message in records of this size. */
export function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(records);
}
