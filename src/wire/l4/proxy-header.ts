import { addressBytes } from "../address.ts";
import { type EndAddress, V2_SIGNATURE } from "../proxy-protocol.ts";

const PROXY_COMMAND = 0x21;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];

/**
 * The header of the PROXY protocol that tells who is connected to whom. Where one address is IPv4 and the other IPv6,
 * version 1 says UNKNOWN and version 2 maps the former into IPv6; where one is no address at all, neither names any.
 */
export function proxyHeader(version: "v1" | "v2", from: EndAddress, to: EndAddress): Buffer {
  const [source, target] = [bytesOf(from), bytesOf(to)];
  if (version === "v1") {
    const family =
      source?.length === target?.length && source !== null ? (source.length === 4 ? "TCP4" : "TCP6") : null;
    if (family === null) return Buffer.from("PROXY UNKNOWN\r\n");
    return Buffer.from(`PROXY ${family} ${textOf(from)} ${textOf(to)} ${from.port} ${to.port}\r\n`);
  }
  if (source === null || target === null) return v2Header(0x00, []);
  const isIpv4 = source.length === 4 && target.length === 4;
  const addresses = isIpv4 ? [...source, ...target] : [...mapped(source), ...mapped(target)];
  return v2Header(isIpv4 ? 0x11 : 0x21, [...addresses, ...portBytes(from.port), ...portBytes(to.port)]);
}

function v2Header(family: number, block: readonly number[]): Buffer {
  return Buffer.concat([V2_SIGNATURE, Buffer.from([PROXY_COMMAND, family, ...portBytes(block.length), ...block])]);
}

/** Two bytes, the greater first. */
function portBytes(port: number): readonly number[] {
  return [port >> 8, port & 255];
}

function mapped(bytes: readonly number[]): readonly number[] {
  return bytes.length === 4 ? [...MAPPED, ...bytes] : bytes;
}

function bytesOf(end: EndAddress): readonly number[] | null {
  return addressBytes(withoutZone(end.address));
}

/** An IPv4-mapped address must not stand in a TCP4 line as IPv6. */
function textOf(end: EndAddress): string {
  return withoutZone(end.address).replace(/^::ffff:(?=\d+\.)/, "");
}

/** A link-local address may name its interface, which means nothing to another machine. */
function withoutZone(address: string): string {
  const at = address.indexOf("%");
  return at < 0 ? address : address.slice(0, at);
}
