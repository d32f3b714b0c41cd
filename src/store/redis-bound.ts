import { Cluster, type Redis } from "ioredis";

/** A reply, or a message, of more bytes is no honest one: ioredis itself would keep it all, and more until it is whole. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Gives up every connection of this client on which more comes than one reply may have, before that is whole: what was
 * in flight fails as it does when a connection is lost, and the client's `error` says why. `client` was just made.
 */
export function boundReplies<Client extends Redis | Cluster>(client: Client): Client {
  if (client instanceof Cluster) client.on("+node", boundConnections);
  else boundConnections(client);
  return client;
}

function boundConnections(client: Redis): void {
  const due = () => client.commandQueue.peekFront()?.command;
  /** Bytes of what has not come whole, to a chunk. */
  let bytes = 0;
  let dueBefore: unknown;
  let isWhole = false;
  client.on("message", () => {
    isWhole = true;
  });
  client.on("connect", () => {
    const { stream } = client;
    bytes = 0;
    // One listener stands before ioredis's own, which reads what came, and one behind it.
    stream.prependListener("data", () => {
      dueBefore = due();
      isWhole = false;
    });
    stream.on("data", (data: Uint8Array) => {
      isWhole ||= due() !== dueBefore;
      bytes = isWhole ? data.length : bytes + data.length;
      if (bytes > MOST_BYTES) stream.destroy(new Error(`a reply has over ${MOST_BYTES} bytes`));
    });
  });
}
