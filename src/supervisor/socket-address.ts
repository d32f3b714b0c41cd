import { addressBytes } from "../wire/address.ts";

/** `AF_INET` and `AF_INET6` of Linux. */
const FAMILY = { v4: 2, v6: 10 } as const;

/** A `sockaddr` of Linux, as the C library reads and writes it. */
export interface SocketAddress {
  readonly family: (typeof FAMILY)[keyof typeof FAMILY];
  readonly bytes: Uint8Array;
}

/** The `sockaddr` of an IP address, or of `localhost`, and a port; null for what is no address. */
export function socketAddress(address: string, port: number): SocketAddress | null {
  const host = addressBytes(address === "localhost" ? "127.0.0.1" : address);
  if (host === null) return null;
  const isV4 = host.length === 4;
  const family = isV4 ? FAMILY.v4 : FAMILY.v6;
  const bytes = new Uint8Array(isV4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  // The family is in the machine's order, and Linux runs Bun on little-endian machines only; the port is not.
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  bytes.set(host, isV4 ? 4 : 8);
  return { family, bytes };
}

/** The port in a `sockaddr`. */
export function portOf({ bytes }: SocketAddress): number {
  return new DataView(bytes.buffer).getUint16(2);
}
