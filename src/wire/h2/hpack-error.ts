/**
 * A header block that cannot be decoded (RFC 7541): a COMPRESSION_ERROR, after which the connection is lost, because
 * the two tables are no longer in step. The message holds nothing that the peer sent.
 */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
