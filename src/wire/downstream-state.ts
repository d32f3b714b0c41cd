/** So long, and for so many bytes, a closing connection is read on: the client gets to read the answer. */
export const LINGER_MS = 2000;
export const LINGER_BYTES = 1024 * 1024;

/**
 * `idle`: between requests; `head`: part of a head came; `busy`: an exchange is under way; `lingering`: all is said,
 * the client may still be sending; `tunnel`: the connection is no longer ours to read; `closed`.
 */
export type DownstreamState = "idle" | "head" | "busy" | "lingering" | "tunnel" | "closed";
