import { Dial } from "../../../src/wire/dial.ts";
import { inEvent } from "../../../src/wire/event.ts";
import type { Passage } from "../../../src/wire/l4/passage.ts";
import {
  PassthroughConnection,
  type PassthroughContext,
  type PassthroughOrigin,
} from "../../../src/wire/l4/passthrough.ts";
import { socketEvents } from "../../../src/wire/socket-events.ts";
import { TimerWheel } from "../../../src/wire/timer-wheel.ts";
import { connect, type RawClient } from "../../support/client.ts";
import { eventually } from "../../support/load.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../../support/upstream.ts";

export interface PassthroughSetup {
  /** What becomes of a passage; without, it is joined with the scripted endpoint. */
  readonly onPassage?: (passage: Passage) => void;
  /** The endpoint's port, where it is not the scripted one. */
  readonly upstreamPort?: number;
  readonly origin?: Partial<PassthroughOrigin>;
  readonly wheel?: TimerWheel;
  readonly idleMs?: number;
  readonly proxyProtocol?: "v1" | "v2" | null;
}

/** A listener whose connections are passed on to a scripted endpoint. */
export interface TestPassthrough extends AsyncDisposable {
  readonly port: number;
  readonly connections: readonly PassthroughConnection[];
  /** Passages that are over, in that order. */
  readonly done: readonly Passage[];
  /** Connections whose sockets are gone. */
  readonly gone: number;
  /** Connections to the endpoint that are over. */
  readonly left: number;
  readonly upstream: Upstream;
  connect(): Promise<RawClient>;
  /** A client and the endpoint's end of its connection. */
  pair(): Promise<{ readonly client: RawClient; readonly endpoint: UpstreamConnection }>;
  /** Connects the passage with the endpoint. */
  join(passage: Passage): void;
  /** Waits until so many passages are over, and gives the last. */
  ended(count?: number): Promise<Passage>;
}

function listen(context: PassthroughContext, connections: PassthroughConnection[], setup: PassthroughSetup) {
  return Bun.listen<PassthroughConnection>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...socketEvents<PassthroughConnection>(),
      open(socket) {
        const { remoteAddress: address, remotePort: port, localPort } = socket;
        const client = { address, peer: address, port, localPort, isTrusted: false, tls: null };
        const none = { protocol: "tcp", client, to: null, sni: null, first: Buffer.alloc(0) } as const;
        const connection = new PassthroughConnection(socket, context, { ...none, ...setup.origin });
        socket.data = connection;
        connections.push(connection);
        inEvent(socket, () => connection.begin());
      },
    },
  });
}

export function startPassthrough(setup: PassthroughSetup = {}): TestPassthrough {
  const wheel = setup.wheel ?? new TimerWheel();
  const connections: PassthroughConnection[] = [];
  const done: Passage[] = [];
  const counts = { gone: 0, left: 0 };
  const upstream = startUpstream(async () => {});
  const join = (passage: Passage) => {
    const { idleMs = 0, proxyProtocol = null } = setup;
    const dial = { hostname: "127.0.0.1", port: setup.upstreamPort ?? upstream.port, connectMs: 0, wheel, tls: null };
    const onClosed = () => void counts.left++;
    new Dial(passage, dial, {
      opened: (socket) => passage.join(socket, { idleMs, proxyProtocol, onClosed }),
      failed() {},
      abandoned() {},
      settled() {},
    });
  };
  const context = {
    name: "l4",
    wheel,
    newId: () => String(connections.length),
    hooks: {
      onPassage: setup.onPassage ?? join,
      onPassageDone(passage: Passage) {
        passage.observer?.passageDone(passage);
        done.push(passage);
      },
    },
    closed: () => void counts.gone++,
  };
  const server = listen(context, connections, setup);
  const open = () => connect({ port: server.port });
  return {
    port: server.port,
    connections,
    done,
    upstream,
    get gone() {
      return counts.gone;
    },
    get left() {
      return counts.left;
    },
    connect: open,
    async pair() {
      const index = upstream.connections.length;
      const client = await open();
      return { client, endpoint: await upstream.connection(index) };
    },
    join,
    async ended(count = 1) {
      await eventually(() => done.length >= count, `${count} passages to end`);
      const last = done.at(-1);
      if (last === undefined) throw new Error("no passage ended");
      return last;
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.terminate();
      server.stop(true);
      await upstream.close();
    },
  };
}
