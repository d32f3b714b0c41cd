import { GatewayError } from "../errors.ts";
import { Downstream } from "./downstream.ts";
import { now } from "./event.ts";
import type { ClientInfo } from "./exchange.ts";
import { PREFACE } from "./h2/frame.ts";
import { type ConnectionSocket, httpConnection, socketOf } from "./handover.ts";
import { PassthroughConnection } from "./l4/passthrough.ts";
import type { ConnectionRefusal, ServerConnection } from "./listener-context.ts";
import type { EntryTable, OpenEntry } from "./listener-entry.ts";
import { type EndAddress, type ParsedProxyHeader, parseProxyHeader } from "./proxy-protocol.ts";
import { Timer } from "./timer-wheel.ts";
import { type AlertName, alertRecord, HelloError } from "./tls/alert.ts";
import { type ClientHello, parseClientHello } from "./tls/client-hello.ts";
import { Handshake } from "./tls/handshake.ts";
import { NOTHING } from "./view.ts";

/** What an intake needs of its listener. */
export interface IntakeHost {
  /** The entries in force now: a reload may have changed them since the connection was accepted. */
  current(): EntryTable;
  /** It turned out who the client is; tells why it may not stay, or null. */
  recount(intake: ServerConnection, client: ClientInfo): ConnectionRefusal | null;
  /** Another connection has the socket from now on. */
  replaced(before: ServerConnection, after: ServerConnection, entry: OpenEntry): void;
}

export interface IntakeOrigin {
  readonly host: IntakeHost;
  readonly table: EntryTable;
  readonly client: ClientInfo;
}

/** So long a client that was told why it is refused may read it. */
const LINGER_MS = 2000;

/**
 * A connection of which it is not known yet what is spoken: reads a header of the PROXY protocol, the preface of
 * HTTP/2 or the ClientHello, and hands the socket over. All of it within the time for a request's head.
 */
export class Intake extends Timer implements ServerConnection {
  readonly #host: IntakeHost;
  readonly #table: EntryTable;
  readonly #socket: ConnectionSocket;
  #client: ClientInfo;
  /** Where the client came to, by the PROXY protocol. */
  #to: EndAddress | null = null;
  #awaitsHeader: boolean;
  #held: Buffer | null = null;
  /** Handed over, or refused: what comes is not read. */
  #isOver = false;

  constructor(socket: ConnectionSocket, { host, table, client }: IntakeOrigin) {
    super();
    this.#host = host;
    this.#table = table;
    this.#socket = socket;
    this.#client = client;
    this.#awaitsHeader = table.expectsProxyProtocol;
    const { wheel, limits } = table.first.context;
    wheel.arm(this, limits.headerTimeoutMs);
  }

  /** Call it once, when the socket's events reach the intake. */
  begin(): void {
    // A server may be the first to speak.
    if (!this.#awaitsHeader && this.#table.speech === "tcp") this.#read(NOTHING);
  }

  onData(bytes: Buffer): void {
    if (this.#isOver) return;
    const all = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = null;
    this.#read(all);
  }

  onDrain(): void {}

  onEnd(): void {
    this.#socket.end();
  }

  onClose(): void {
    const { context } = this.#table.first;
    context.wheel.remove(this);
    context.closed(this);
  }

  override fire(): void {
    // A client that says nothing is no offence: browsers open connections ahead.
    const isLate = !this.#isOver && this.#held !== null;
    if (isLate && this.#awaitsHeader) this.#refuse("proxy_timeout");
    else if (isLate && this.#table.speech === "tls") this.#refuse("tls_timeout");
    this.#socket.end();
  }

  drain(): void {}

  goAway(): void {}

  readonly heldBytes = 0;

  /** The time for a request's head bounds it already. */
  closeIdle(): void {}

  /** Nothing is under way yet. */
  close(): void {
    this.#socket.end();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Keeps what is no whole yet: the event's bytes are valid no longer than the event. */
  #keep(bytes: Buffer): void {
    if (bytes.length > 0) this.#held = Buffer.from(bytes);
  }

  #read(bytes: Buffer): void {
    const rest = this.#awaitsHeader ? this.#afterHeader(bytes) : bytes;
    if (rest === null) return;
    const { first, speech } = this.#table;
    if (speech === "tcp") this.#pass(first, null, rest);
    else if (speech === "http") this.#readPreface(first, rest);
    else this.#readHello(rest);
  }

  /** What follows the header of the PROXY protocol; null when that is not whole, or refused. */
  #afterHeader(bytes: Buffer): Buffer | null {
    const parsed = this.#parseHeader(bytes);
    if (parsed === null) return null;
    this.#awaitsHeader = false;
    const { addresses } = parsed.header;
    if (addresses !== null) {
      const { from, to } = addresses;
      const isTrusted = this.#table.first.context.isTrusted(from.address);
      this.#to = to;
      this.#client = {
        address: from.address,
        peer: from.address,
        port: from.port,
        localPort: to.port,
        isTrusted,
        tls: null,
      };
    }
    const reason = this.#host.recount(this, this.#client);
    if (reason === null) return bytes.subarray(parsed.length);
    this.#refuse(reason);
    this.#socket.terminate();
    return null;
  }

  #parseHeader(bytes: Buffer): ParsedProxyHeader | null {
    try {
      const parsed = parseProxyHeader(bytes);
      if (parsed === null) this.#keep(bytes);
      return parsed;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#refuse("proxy_malformed");
      this.#socket.terminate();
      return null;
    }
  }

  #readPreface(entry: OpenEntry, bytes: Buffer): void {
    const length = Math.min(bytes.length, PREFACE.length);
    const isPreface = entry.hasHttp2 && PREFACE.compare(bytes, 0, length, 0, length) === 0;
    if (isPreface && length < PREFACE.length) {
      this.#keep(bytes);
      return;
    }
    const origin = { context: entry.context, client: this.#client, isHttp2: isPreface };
    const connection = httpConnection(this.#socket, origin);
    this.#handedOver(connection, entry);
    if (bytes.length > 0) connection.onData(bytes);
  }

  #readHello(bytes: Buffer): void {
    const speaksHttp = bytes.length === 0 ? null : looksLikeHttp(bytes);
    const hello = speaksHttp === false ? this.#parseHello(bytes) : null;
    if (speaksHttp === true) this.#refusePlainHttp();
    else if (hello !== null) this.#answerHello(hello, bytes);
    else if (!this.#isOver) this.#keep(bytes);
  }

  #parseHello(bytes: Buffer): ClientHello | null {
    try {
      return parseClientHello(bytes);
    } catch (error) {
      if (!(error instanceof HelloError)) throw error;
      this.#alert("tls_malformed", error.alert);
      return null;
    }
  }

  #answerHello(hello: ClientHello, bytes: Buffer): void {
    const entry = this.#host.current().find(hello.sni);
    const { tls: policy = null } = entry ?? {};
    const secureContext = policy?.choose(hello) ?? null;
    if (entry?.protocol === "tls_passthrough") this.#pass(entry, hello.sni, bytes);
    else if (entry === null || policy === null || secureContext === null) {
      this.#alert("tls_unrecognized_name", "unrecognized_name");
    } else {
      const handshake: Handshake = new Handshake({
        entry,
        policy,
        hello,
        client: this.#client,
        timeoutMs: this.dueAt - now(),
        onReplaced: (connection) => this.#host.replaced(handshake, connection, entry),
      });
      this.#handedOver(handshake, entry);
      handshake.begin(this.#socket, secureContext, bytes);
    }
  }

  #pass(entry: OpenEntry, sni: string | null, bytes: Buffer): void {
    const protocol = entry.protocol === "tcp" ? "tcp" : "tls";
    const origin = { protocol, client: this.#client, to: this.#to, sni, first: Buffer.from(bytes) } as const;
    const connection = new PassthroughConnection(this.#socket, entry.context, origin);
    this.#socket.data = connection;
    this.#handedOver(connection, entry);
    connection.begin();
  }

  #handedOver(connection: ServerConnection, entry: OpenEntry): void {
    this.#isOver = true;
    this.#table.first.context.wheel.remove(this);
    this.#host.replaced(this, connection, entry);
  }

  #refuse(reason: ConnectionRefusal): void {
    this.#isOver = true;
    this.#table.first.context.hooks.onConnection(reason);
  }

  #refusePlainHttp(): void {
    const entry = this.#table.first;
    this.#refuse("tls_plain_http");
    const connection = new Downstream(socketOf(this.#socket), entry.context, this.#client);
    this.#socket.data = connection;
    this.#handedOver(connection, entry);
    connection.refuseConnection(new GatewayError("bad_request", "This port speaks TLS: ask with https."));
  }

  /** A close at once could take the alert away from a client that is still sending. */
  #alert(reason: ConnectionRefusal, name: AlertName): void {
    this.#refuse(reason);
    this.#socket.write(alertRecord(name));
    this.#socket.shutdown();
    this.#table.first.context.wheel.arm(this, LINGER_MS);
  }
}

/** Whether a request in the clear begins there; null while that cannot be told. */
function looksLikeHttp(bytes: Buffer): boolean | null {
  const text = bytes.toString("latin1", 0, 24);
  if (/^[A-Z]{3,20} /.test(text)) return true;
  return /^[A-Z]{1,20}$/.test(text) ? null : false;
}
