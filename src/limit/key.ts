import { createHash } from "node:crypto";

const PLAIN = /^[\w.-]{1,48}$/;

function digest(text: string): string {
  // UTF-16 as it is: UTF-8 would make one of all lone surrogates, and so of different keys.
  return createHash("sha256").update(Buffer.from(text, "utf16le")).digest("hex").slice(0, 32);
}

/**
 * The store's key for a limiter's key: short and of one hash slot, whatever the key is. Two keys meet by chance once in
 * 2^64. The letter keeps algorithms apart, whose values differ.
 */
export function limitKey(letter: string, name: string, key: string): string {
  return `limit:{${letter}:${plainName(name)}:${digest(key)}}`;
}

/** A name as it can stand in the store. */
export function plainName(name: string): string {
  return PLAIN.test(name) ? name : `~${digest(name)}`;
}
