import type { BodySink, BodySource } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import type { ListenerContext } from "./listener-context.ts";
import { Tunnel, type TunnelEnd } from "./tunnel.ts";

/** The body of a 101: the upstream's connection itself, which the client's connection becomes one tunnel with. */
export class Upgrade implements BodySource {
  readonly length = null;
  readonly end: TunnelEnd;
  /** Bytes that came behind the 101's head. */
  readonly first: Uint8Array;
  readonly idleMs: number;

  constructor(end: TunnelEnd, first: Uint8Array, idleMs: number) {
    this.end = end;
    this.first = first;
    this.idleMs = idleMs;
  }

  /** A tunnel is no stream of bytes in one direction: who asks for one gets its end. */
  pipe(sink: BodySink): void {
    this.cancel();
    sink.end(null);
  }

  pause(): void {}

  resume(): void {}

  cancel(): void {
    this.end.terminate();
  }
}

export interface SwitchOptions {
  readonly exchange: Exchange;
  readonly context: Pick<ListenerContext<never>, "wheel" | "isGoing">;
  readonly onClosed: () => void;
}

/** Joins a client's connection with the upstream's, beginning with what had come behind the 101. */
export function openTunnel(down: TunnelEnd, upgrade: Upgrade, { exchange, context, onClosed }: SwitchOptions): void {
  const { wheel, isGoing } = context;
  const isWebSocket = exchange.upgrade === "websocket";
  const tunnel = new Tunnel(down, upgrade.end, {
    tally: exchange,
    wheel,
    idleMs: upgrade.idleMs,
    isWebSocket,
    onClosed,
  });
  if (upgrade.first.length > 0) tunnel.data(upgrade.end, upgrade.first);
  upgrade.end.opened?.();
  if (isGoing) tunnel.goAway();
}
