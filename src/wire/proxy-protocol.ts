import { GatewayError } from "../errors.ts";
import { addressBytes } from "./address.ts";
import { crc32c } from "./crc32c.ts";

/** One end of a connection. IPv6 in RFC 5952's form, IPv4-mapped addresses as IPv4. */
export interface EndAddress {
  readonly address: string;
  readonly port: number;
}

/** What a header of the PROXY protocol says of the connection that its sender took. */
export interface ProxyHeader {
  readonly version: "v1" | "v2";
  /** Null when it names none that count, so that the connection's own do: UNKNOWN, LOCAL, and families but TCP over IP. */
  readonly addresses: { readonly from: EndAddress; readonly to: EndAddress } | null;
}

export interface ParsedProxyHeader {
  readonly header: ProxyHeader;
  /** Bytes that it takes; what follows belongs to the connection. */
  readonly length: number;
}

/** The signature of version 2, whose first byte no version 1 begins with. */
export const V2_SIGNATURE: Buffer = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V1_BEGIN = Buffer.from("PROXY ");
/** Longest line of version 1, its CRLF included. */
const V1_BYTES = 107;
const V1_LINE = /^PROXY (?:UNKNOWN(?: [ -~]*)?|TCP([46]) ([\da-fA-F:.]+) ([\da-fA-F:.]+) (\d{1,5}) (\d{1,5}))$/;

/** Bytes of version 2 up to its block of addresses and TLVs, and our bound on that block. */
const V2_HEAD_BYTES = 16;
const V2_BLOCK_BYTES = 4096;
/** Bytes of addresses by family and transport; only TCP's addresses are of use on a stream. */
const V2_FAMILIES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);
const TLV_HEAD_BYTES = 3;
const TLV_CRC32C = 0x03;

function malformed(what: string): GatewayError {
  return new GatewayError("bad_request", `The PROXY protocol header is malformed: ${what}.`);
}

/**
 * Reads the header of the PROXY protocol, version 1 or 2, that bytes begin with. Null when more bytes are needed; at
 * most 107 of version 1 and 4,112 of version 2 are asked for. Throws a GatewayError `bad_request` when no header
 * begins there or it is malformed, as early as that can be told.
 */
export function parseProxyHeader(bytes: Buffer): ParsedProxyHeader | null {
  if (begins(bytes, V1_BEGIN)) return bytes.length < V1_BEGIN.length ? null : parseV1(bytes);
  if (begins(bytes, V2_SIGNATURE)) return bytes.length < V2_HEAD_BYTES ? checkV2(bytes) : parseV2(bytes);
  throw new GatewayError("bad_request", "The connection does not begin with a PROXY protocol header.");
}

/** True when one of the two begins with the other. */
function begins(bytes: Buffer, mark: Buffer): boolean {
  const length = Math.min(bytes.length, mark.length);
  return bytes.compare(mark, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ParsedProxyHeader | null {
  const end = bytes.subarray(0, V1_BYTES).indexOf("\r\n");
  if (end < 0) {
    if (bytes.length >= V1_BYTES) throw malformed("its line is too long");
    return null;
  }
  const parts = V1_LINE.exec(bytes.toString("latin1", 0, end));
  if (parts === null) throw malformed("its line is none of version 1");
  const [, family = "", from = "", to = "", fromPort = "", toPort = ""] = parts;
  const addresses =
    family === "" ? null : { from: v1Address(family, from, fromPort), to: v1Address(family, to, toPort) };
  return { header: { version: "v1", addresses }, length: end + 2 };
}

function v1Address(family: string, address: string, port: string): EndAddress {
  const bytes = address.includes(":") === (family === "6") ? addressBytes(address) : null;
  if (bytes === null) throw malformed(`an address is none of TCP${family}`);
  const number = Number(port);
  if (number > 65_535 || String(number) !== port) throw malformed("a port is no number up to 65535");
  return { address: addressText(Uint8Array.from(bytes)), port: number };
}

/** Refuses what cannot become a header of version 2 any more. */
function checkV2(bytes: Buffer): null {
  const command = bytes[12] ?? 0x20;
  if (command !== 0x20 && command !== 0x21) throw malformed("its version or command is unknown");
  // LOCAL is the sender's own connection: whatever family it names does not count.
  const family = bytes[13] ?? 0;
  if (command === 0x21 && !V2_FAMILIES.has(family)) throw malformed("its address family is unknown");
  return null;
}

function parseV2(bytes: Buffer): ParsedProxyHeader | null {
  checkV2(bytes);
  const blockBytes = bytes.readUInt16BE(14);
  if (blockBytes > V2_BLOCK_BYTES) throw malformed("it is too long");
  const isLocal = bytes[12] === 0x20;
  const family = isLocal ? 0 : (bytes[13] ?? 0);
  const addressBytes = V2_FAMILIES.get(family) ?? 0;
  if (blockBytes < addressBytes) throw malformed("it is shorter than its addresses");
  const length = V2_HEAD_BYTES + blockBytes;
  if (bytes.length < length) return null;
  // Without a family nobody can say where addresses end: the block is skipped whole, as the specification asks.
  if (family !== 0) checkTlvs(bytes.subarray(0, length), V2_HEAD_BYTES + addressBytes);
  return { header: { version: "v2", addresses: v2Addresses(bytes, family) }, length };
}

function v2Addresses(bytes: Buffer, family: number): ProxyHeader["addresses"] {
  if (family !== 0x11 && family !== 0x21) return null;
  const size = family === 0x11 ? 4 : 16;
  const [from, to, ports] = [V2_HEAD_BYTES, V2_HEAD_BYTES + size, V2_HEAD_BYTES + 2 * size];
  return {
    from: { address: addressText(bytes.subarray(from, to)), port: bytes.readUInt16BE(ports) },
    to: { address: addressText(bytes.subarray(to, ports)), port: bytes.readUInt16BE(ports + 2) },
  };
}

/** Walks over the TLVs, which must fill the header to its end; a checksum among them must be right. */
function checkTlvs(header: Buffer, from: number): void {
  for (let at = from; at < header.length; ) {
    const value = at + TLV_HEAD_BYTES;
    const end = value > header.length ? value : value + header.readUInt16BE(at + 1);
    if (end > header.length) throw malformed("a TLV goes beyond its end");
    if (header[at] === TLV_CRC32C) checkChecksum(header, value, end);
    at = end;
  }
}

function checkChecksum(header: Buffer, from: number, to: number): void {
  if (to - from !== 4) throw malformed("its checksum has not 4 bytes");
  const blank = Buffer.from(header);
  blank.fill(0, from, to);
  if (crc32c(blank) !== header.readUInt32BE(from)) throw malformed("its checksum is wrong");
}

const MAPPED_BEGIN = Buffer.from("00000000000000000000ffff", "hex");

/** The text of 4 or 16 bytes. */
function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (MAPPED_BEGIN.equals(bytes.subarray(0, 12))) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  // A URL's host is serialised as RFC 5952 asks.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
