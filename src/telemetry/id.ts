const BLOCK_BYTES = 8192;
const ID_CHARS = 32;

/** Fills the array with random bytes that cannot be foretold, and returns it. */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/**
 * Makes ids of 16 random bytes, as 32 lower-case hex digits: fit for request ids and for W3C trace ids.
 * Random bytes are fetched 8 KB at a time, because asking for 16 costs more than the rest of the work.
 */
export function createIds(randomBytes: RandomBytes = (bytes) => crypto.getRandomValues(bytes)): () => string {
  const bytes = new Uint8Array(BLOCK_BYTES);
  let block = "";
  let at = 0;
  return () => {
    if (at >= block.length) {
      block = randomBytes(bytes).toHex();
      at = 0;
    }
    at += ID_CHARS;
    return block.slice(at - ID_CHARS, at);
  };
}
