import type { MeshLoad } from "./load.ts";

/** An endpoint as it is written into Redis. */
export interface MeshEndpoint {
  /** Unique within its service. */
  readonly id: string;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** Share of traffic against the others; 0 takes none. */
  readonly weight: number;
  readonly zone?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  readonly load?: MeshLoad;
}

export const MAX_WEIGHT = 1_000_000;

/** Characters that an id may have, and bytes of what is written of an endpoint: gateways ignore more. */
export const LONGEST_ID = 256;
export const MOST_JSON_BYTES = 16_384;

/** Says whether a value of unknown origin is a weight: a whole number from 0 to a million. */
export function isWeight(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_WEIGHT;
}

/** `http://host:port` or `https://host:port` with its port; null for what is not a bare origin. */
export function originOf(url: string): string | null {
  const parsed = /^https?:\/\/[^/?#@\\\s]+\/?$/.test(url) && URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.hostname === "" || parsed.port === "0") return null;
  return `${parsed.protocol}//${parsed.hostname}:${parsed.port || (parsed.protocol === "https:" ? "443" : "80")}`;
}

/** The id that an endpoint has unless it is given one: its host and port. Null for what is no URL of an endpoint. */
export function idOf(url: string): string | null {
  const origin = originOf(url);
  return origin === null ? null : origin.slice(origin.indexOf("//") + 2);
}
