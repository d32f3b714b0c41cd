import { write } from "node:fs";

const BUSY_RETRY_MS = 5;

type WriteResult = number | "busy" | "failed";

// Through the thread pool, so that a pipe in blocking mode blocks a thread there and not the event loop.
function writeOnce(fd: number, bytes: Buffer): Promise<WriteResult> {
  return new Promise((resolve) => {
    write(fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) resolve(written);
      else resolve(error.code === "EAGAIN" || error.code === "EINTR" ? "busy" : "failed");
    });
  });
}

/**
 * Writes all bytes to a descriptor, however long its reader takes, and resolves with how many were taken: fewer than
 * given when the descriptor failed, or when `isGivenUp` said so between two tries. Never rejects.
 */
export async function writeFully(fd: number, bytes: Buffer, isGivenUp: () => boolean): Promise<number> {
  let at = 0;
  while (at < bytes.length && !isGivenUp()) {
    const result = await writeOnce(fd, bytes.subarray(at));
    if (result === "failed") break;
    // There is no event for "writable" on a descriptor that the runtime does not own, hence the pause.
    if (result === "busy") await Bun.sleep(BUSY_RETRY_MS);
    else at += result;
  }
  return at;
}
