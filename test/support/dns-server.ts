/** A record, its host a whole name. */
export type DnsRecord =
  | { readonly type: "A" | "AAAA"; readonly address: string; readonly ttl?: number }
  | {
      readonly type: "SRV";
      readonly target: string;
      readonly port: number;
      readonly priority?: number;
      readonly weight?: number;
      readonly ttl?: number;
    };

/** What a name answers: its records (those of the type asked for; none is a name without such records), or worse. */
export type DnsReply = readonly DnsRecord[] | "nxdomain" | "servfail" | "silence";

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;
const RCODES = { servfail: 2, nxdomain: 3 } as const;
const UDP_BYTES = 512;

/** A real DNS server on loopback, over UDP, and over TCP for what does not fit. Names that it does not know do not exist. */
export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Questions so far, as `A catalog.internal`, those over TCP as `tcp A catalog.internal`. */
  readonly questions: readonly string[];
  set(name: string, reply: DnsReply): void;
  /** A reply for one type of a name, before those of `set`. */
  setType(type: DnsRecord["type"], name: string, reply: DnsReply): void;
  close(): void;
}

function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.of(0),
  ]);
}

function encodeIpv6(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const first = groups(head);
  const last = groups(tail ?? "");
  const all = [...first, ...Array<string>(8 - first.length - last.length).fill("0"), ...last];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function encodeData(record: DnsRecord): Buffer {
  if (record.type !== "SRV") {
    const { address } = record;
    return address.includes(":") ? encodeIpv6(address) : Buffer.from(address.split(".").map(Number));
  }
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(record.priority ?? 0, 0);
  numbers.writeUInt16BE(record.weight ?? 1, 2);
  numbers.writeUInt16BE(record.port, 4);
  return Buffer.concat([numbers, encodeName(record.target)]);
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = encodeData(record);
  const head = Buffer.alloc(12);
  // The record's name is the question's, which stands at byte 12.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(TYPES[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(record.ttl ?? 0, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly bytes: Buffer;
}

function parseQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const bytes = message.subarray(12, at + 5);
  return {
    id: message.readUInt16BE(0),
    name: labels.join(".").toLowerCase(),
    type: message.readUInt16BE(at + 1),
    bytes,
  };
}

function encodeReply({ id, type, bytes }: Question, reply: Exclude<DnsReply, "silence">, limit: number): Buffer {
  const records = typeof reply === "string" ? [] : reply.filter((record) => TYPES[record.type] === type);
  const body = records.map(encodeRecord);
  const isTruncated = body.reduce((sum, { length }) => sum + length, 12 + bytes.length) > limit;
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt8(isTruncated ? 0x87 : 0x85, 2);
  head.writeUInt8(0x80 | (typeof reply === "string" ? RCODES[reply] : 0), 3);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(isTruncated ? 0 : body.length, 6);
  return Buffer.concat([head, bytes, ...(isTruncated ? [] : body)]);
}

function nameOf(type: number): string {
  return Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? String(type);
}

/** What the server knows, and the message that it answers with; null is silence. */
function createZone() {
  const replies = new Map<string, DnsReply>();
  const questions: string[] = [];
  function answer(message: Buffer, limit: number): Buffer | null {
    const question = parseQuestion(message);
    const asked = `${nameOf(question.type)} ${question.name}`;
    questions.push(limit > UDP_BYTES ? `tcp ${asked}` : asked);
    const reply = replies.get(asked) ?? replies.get(question.name) ?? "nxdomain";
    return reply === "silence" ? null : encodeReply(question, reply, limit);
  }
  return { replies, questions, answer };
}

function listenTcp(answer: (message: Buffer, limit: number) => Buffer | null) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      // A question of a test comes in one piece.
      data: (socket, bytes) => {
        const reply = answer(bytes.subarray(2), 65_535);
        if (reply === null) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      },
    },
  });
}

/** Starts one; `close` it. */
export async function startDnsServer(records: Readonly<Record<string, DnsReply>> = {}): Promise<DnsServer> {
  const { replies, questions, answer } = createZone();
  for (const [name, reply] of Object.entries(records)) replies.set(name, reply);
  const tcp = listenTcp(answer);
  const { port } = tcp;
  const udp = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (socket, message, from, address) => {
        const reply = answer(message, UDP_BYTES);
        if (reply !== null) socket.send(reply, from, address);
      },
    },
  });
  return {
    address: `127.0.0.1:${port}`,
    questions,
    set: (name, reply) => void replies.set(name, reply),
    setType: (type, name, reply) => void replies.set(`${type} ${name}`, reply),
    close: () => {
      udp.close();
      tcp.stop(true);
    },
  };
}
