import { HelloError } from "./alert.ts";
import { ByteReader } from "./byte-reader.ts";

/** What decides how a handshake goes on. */
export interface ClientHello {
  /** Name that is asked for: lower case, no last dot; null for none. */
  readonly sni: string | null;
  /** Application protocols in the client's order; empty for none. */
  readonly alpn: readonly string[];
  /** Versions such as 0x0304, in the client's order. */
  readonly versions: readonly number[];
  readonly ciphers: readonly number[];
  /** Signature schemes; null where the client names none, as only TLS 1.2 allows. */
  readonly signatures: readonly number[] | null;
}

/** The longest ClientHello that is read; BoringSSL's own bound. */
const HELLO_BYTES = 16 * 1024;
/** What it may take on the wire, with the heads of the records that it is cut into. */
export const HELLO_WIRE_BYTES = HELLO_BYTES + 4 * 1024;

const HANDSHAKE_RECORD = 22;
const RECORD_HEAD_BYTES = 5;
const RECORD_BYTES = 16 * 1024;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD_BYTES = 4;
const RANDOM_BYTES = 32;
const EXTENSION = { serverName: 0, signatureAlgorithms: 13, alpn: 16, supportedVersions: 43 } as const;

function malformed(): HelloError {
  return new HelloError("decode_error", "the ClientHello is malformed");
}

/**
 * Reads the ClientHello that a connection begins with, in however many records. Null when more bytes are needed.
 * Throws a HelloError, as early as that can be told, when there is none or it is malformed.
 */
export function parseClientHello(bytes: Buffer): ClientHello | null {
  const message = readMessage(bytes);
  if (message !== null) return readHello(message);
  if (bytes.length >= HELLO_WIRE_BYTES) throw new HelloError("decode_error", "the ClientHello is too long");
  return null;
}

/** The body of the first handshake message, or null while it is not whole. What follows it is not looked at. */
function readMessage(bytes: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  let gathered = 0;
  let needed: number | null = null;
  for (let at = 0; at < bytes.length && gathered < (needed ?? Number.POSITIVE_INFINITY); ) {
    const length = recordLength(bytes, at);
    const end = at + RECORD_HEAD_BYTES + (length ?? 0);
    // What came of a record that is not whole counts as well: a message that is none is refused at its first bytes.
    const piece = bytes.subarray(at + RECORD_HEAD_BYTES, end);
    pieces.push(piece);
    gathered += piece.length;
    needed ??= messageBytes(pieces, gathered);
    at = length === null ? bytes.length : end;
  }
  if (needed === null || gathered < needed) return null;
  const [first] = pieces;
  const message = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
  return message.subarray(MESSAGE_HEAD_BYTES, needed);
}

/** Length of a record's content; null while its head is not whole. Throws for what is no handshake record. */
function recordLength(bytes: Buffer, at: number): number | null {
  if (bytes[at] !== HANDSHAKE_RECORD) throw new HelloError("unexpected_message", "it is no handshake record");
  if ((bytes[at + 1] ?? 3) !== 3) throw new HelloError("protocol_version", "the record's version is unknown");
  if (at + RECORD_HEAD_BYTES > bytes.length) return null;
  const length = bytes.readUInt16BE(at + 3);
  if (length === 0 || length > RECORD_BYTES) throw malformed();
  return length;
}

/** Length of the message with its head; null while that is not whole. Throws when it is no ClientHello. */
function messageBytes(pieces: readonly Buffer[], gathered: number): number | null {
  const type = pieces[0]?.[0] ?? CLIENT_HELLO;
  if (type !== CLIENT_HELLO) throw new HelloError("unexpected_message", "the first message is no ClientHello");
  if (gathered < MESSAGE_HEAD_BYTES) return null;
  const length = Buffer.concat(pieces, MESSAGE_HEAD_BYTES).readUIntBE(1, 3);
  if (length > HELLO_BYTES) throw new HelloError("decode_error", "the ClientHello is too long");
  return MESSAGE_HEAD_BYTES + length;
}

function readHello(message: Buffer): ClientHello {
  const reader = new ByteReader(message, malformed);
  const legacyVersion = reader.uint16();
  reader.skip(RANDOM_BYTES);
  reader.vector8();
  const ciphers = uint16List(reader.nested16());
  reader.vector8();
  const extensions = reader.isAtEnd ? new Map<number, Buffer>() : readExtensions(reader.nested16());
  if (!reader.isAtEnd) throw malformed();
  const get = (type: number) => {
    const content = extensions.get(type);
    return content === undefined ? null : new ByteReader(content, malformed);
  };
  return {
    sni: readServerName(get(EXTENSION.serverName)),
    alpn: readAlpn(get(EXTENSION.alpn)),
    versions: readVersions(get(EXTENSION.supportedVersions)) ?? [legacyVersion],
    ciphers,
    signatures: readSignatures(get(EXTENSION.signatureAlgorithms)),
  };
}

function readExtensions(reader: ByteReader): ReadonlyMap<number, Buffer> {
  const extensions = new Map<number, Buffer>();
  while (!reader.isAtEnd) {
    const type = reader.uint16();
    // Two of a kind could be read in two ways.
    if (extensions.has(type)) throw malformed();
    extensions.set(type, reader.vector16());
  }
  return extensions;
}

const HOST_NAME = 0;
const NAME = /^[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?$/;

function readServerName(reader: ByteReader | null): string | null {
  if (reader === null) return null;
  const list = reader.nested16();
  const type = list.uint8();
  const name = list.vector16().toString("latin1").toLowerCase().replace(/\.$/, "");
  // RFC 6066 3 knows one type of name, and forbids two of a type.
  if (type !== HOST_NAME || !list.isAtEnd || !reader.isAtEnd) throw malformed();
  if (!NAME.test(name)) throw new HelloError("illegal_parameter", "the name that is asked for is none");
  return name;
}

function readAlpn(reader: ByteReader | null): readonly string[] {
  if (reader === null) return [];
  const list = reader.nested16();
  const protocols: string[] = [];
  while (!list.isAtEnd) protocols.push(list.vector8().toString("latin1"));
  return protocols;
}

function readVersions(reader: ByteReader | null): readonly number[] | null {
  return reader === null ? null : uint16List(new ByteReader(reader.vector8(), malformed));
}

function readSignatures(reader: ByteReader | null): readonly number[] | null {
  return reader === null ? null : uint16List(reader.nested16());
}

function uint16List(reader: ByteReader): readonly number[] {
  const numbers: number[] = [];
  while (!reader.isAtEnd) numbers.push(reader.uint16());
  return numbers;
}
