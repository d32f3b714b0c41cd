import { GatewayError } from "../../../src/errors.ts";
import { AcceptGate } from "../../../src/wire/accept-gate.ts";
import type { Exchange } from "../../../src/wire/exchange.ts";
import { headerList } from "../../../src/wire/header-list.ts";
import { createListener, type Listener } from "../../../src/wire/listener.ts";
import type { HandshakeEvent, Refusal } from "../../../src/wire/listener-context.ts";
import type { ListenerEntry } from "../../../src/wire/listener-entry.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { createTlsPolicy, type TlsFacts } from "../../../src/wire/tls/policy.ts";
import { authority, type LeafSpec, type TestCertificate } from "../../support/certificates.ts";
import { LIMITS } from "../h2/server.ts";

/** A certificate of the tests' authority, as a policy takes it. */
export function certificateFor(spec: LeafSpec): TlsFacts["certificates"][number] {
  return factsOf(authority().issue(spec), spec);
}

export function factsOf({ cert, key }: TestCertificate, { names = [], keyType = "ecdsa" }: LeafSpec) {
  return { names, certPem: cert, keyPem: key, keyType } as const;
}

/** TLS settings with one certificate for these names, or with those that are given. */
export function tlsFacts(names: readonly string[], facts: Partial<TlsFacts> = {}): TlsFacts {
  return {
    certificates: [certificateFor({ names })],
    minVersion: "TLSv1.2",
    ciphers: null,
    isStrictSni: false,
    clientAuth: null,
    ...facts,
  };
}

export interface EntrySpec extends Partial<Omit<ListenerEntry, "tls">> {
  readonly tls?: TlsFacts | null;
}

/** An `https` entry, unless it says otherwise; HTTP/2 is off. */
export function entry({ tls = null, ...rest }: EntrySpec): ListenerEntry {
  const hasHttp2 = rest.hasHttp2 ?? false;
  return {
    name: "https",
    protocol: "https",
    hostnames: [],
    expectsProxyProtocol: false,
    own: null,
    ...rest,
    hasHttp2,
    tls: tls === null ? null : createTlsPolicy(tls, { hasHttp2 }),
  };
}

export interface TestListener extends Disposable {
  readonly port: number;
  readonly listener: Listener;
  /** Lets so much time pass for deadlines. */
  skip(ms: number): void;
  readonly gate: AcceptGate;
  /** Connection events, handshakes and refusals, in order. */
  readonly events: readonly string[];
  readonly handshakes: readonly HandshakeEvent[];
  readonly refused: readonly Refusal[];
  readonly exchanges: readonly Exchange[];
}

export interface ServingOptions {
  readonly trusted?: readonly string[];
  readonly headerTimeoutMs?: number;
  readonly connectionsPerClient?: number;
  readonly onRequest?: (exchange: Exchange) => void;
}

/** Answers 200 with the listener's name. */
export function answer(exchange: Exchange): void {
  exchange.respond({ status: 200, reason: "OK", headers: headerList([]) }, Buffer.from(exchange.listener));
}

/** Listens on any free port. The caller disposes it. */
export function serve(entries: readonly ListenerEntry[], options: ServingOptions = {}): TestListener {
  const events: string[] = [];
  const handshakes: HandshakeEvent[] = [];
  const refused: Refusal[] = [];
  const exchanges: Exchange[] = [];
  // Stands still, whatever the load on the machine, but for what a test skips.
  let clockMs = 1000;
  const wheel = new TimerWheel(() => clockMs);
  const gate = new AcceptGate();
  const { trusted = [], headerTimeoutMs = 5000, connectionsPerClient = null, onRequest = answer } = options;
  const listener = createListener({
    address: "127.0.0.1",
    port: 0,
    entries,
    limits: { ...LIMITS, headerTimeoutMs, connectionsPerClient },
    isTrusted: (address) => trusted.includes(address),
    wheel,
    newId: () => "id",
    gate,
    hooks: {
      onRequest(exchange) {
        exchanges.push(exchange);
        if (exchange.error !== null) exchange.refuse(exchange.error);
        else onRequest(exchange);
      },
      onDone() {},
      onRefused: (refusal) => refused.push(refusal),
      onConnection: (event) => events.push(event),
      onHandshake: (handshake) => handshakes.push(handshake),
      onPassage(passage) {
        events.push(`passage ${passage.protocol} ${passage.sni}`);
        passage.refuse(new GatewayError("route_not_found", "No route takes this connection."));
      },
      onPassageDone() {},
    },
  });
  const { port } = listener;
  const skip = (ms: number) => {
    clockMs += ms;
    wheel.advance();
  };
  const close = () => listener.terminate();
  return { port, listener, skip, gate, events, handshakes, refused, exchanges, [Symbol.dispose]: close };
}
