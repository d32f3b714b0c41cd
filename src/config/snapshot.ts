import { GatewayError } from "../errors.ts";
import type { Chain } from "../route/chain.ts";
import type { RouteIndex } from "../route/index.ts";
import type { RouteRule } from "../route/rule.ts";
import { STRAIGHT } from "../route/serve.ts";
import { armDeadline } from "../service/deadline.ts";
import type { ForwardPolicy } from "../service/options.ts";
import type { Service } from "../service/service.ts";
import type { Slot } from "../telemetry/histogram.ts";
import type { Split } from "../traffic/split.ts";
import type { Receiver } from "../wire/attempt.ts";
import type { Exchange, ExchangeObserver } from "../wire/exchange.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { Config } from "./types.ts";

/** One configuration, compiled and frozen. A request reads it once and keeps it to its end. */
export interface Snapshot {
  readonly version: string;
  readonly config: Config;
  readonly rules: readonly RouteRule<CompiledRoute>[];
  readonly index: RouteIndex<CompiledRoute>;
  /** Says whether a listener serves a host; one that names no hostnames serves all. */
  serves(listener: string, host: string): boolean;
  readonly use: SnapshotUse;
}

/** Counts the requests that a snapshot serves; what it holds is let go when it is retired and the last has ended. */
export class SnapshotUse {
  #count = 0;
  #isRetired = false;
  readonly #release: () => void;

  constructor(release: () => void) {
    this.#release = release;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count === 0 && this.#isRetired) this.#release();
  }

  /** No new request will begin. Once only. */
  retire(): void {
    this.#isRetired = true;
    if (this.#count === 0) this.#release();
  }
}

export interface CompiledBackend {
  /** Null when nobody defines the service: its share is answered with 500. */
  readonly service: Service | null;
  /** The route's plugins, then the backend's own; null for none. */
  readonly chain: Chain | null;
  readonly slot: Slot;
}

export interface CompiledRouteParts {
  readonly name: string;
  /** For a route without backends, whose plugins answer. */
  readonly chain: Chain | null;
  readonly backends: readonly CompiledBackend[];
  readonly split: Split;
  readonly policy: ForwardPolicy;
  readonly wheel: TimerWheel;
  readonly slot: Slot;
  readonly use: SnapshotUse;
}

/** A route as requests meet it. */
export class CompiledRoute implements ExchangeObserver {
  readonly name: string;
  readonly #parts: CompiledRouteParts;

  constructor(parts: CompiledRouteParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** Serves a request from here to its end: plugins, then a backend. Never throws. */
  serve(exchange: Exchange): void {
    const { backends, policy, split, use, wheel } = this.#parts;
    exchange.route = this.name;
    exchange.observer = this;
    use.begin();
    const chosen = split.pick();
    const backend = chosen === null ? null : (backends[chosen] ?? null);
    exchange.slot = backend?.slot ?? null;
    const chain = backend === null ? this.#parts.chain : backend.chain;
    if (chain === null) {
      this.#forward(exchange, backend, STRAIGHT);
      return;
    }
    // Attempts bound themselves; plugins have only this.
    exchange.deadline = armDeadline(exchange, policy.timeoutMs, wheel);
    chain.serve(exchange, (asked, receiver) => this.#forward(asked, backend, receiver));
  }

  exchangeDone(exchange: Exchange): void {
    const { slot, use, wheel } = this.#parts;
    if (exchange.deadline !== null) wheel.remove(exchange.deadline);
    slot.observe(exchange.method, exchange.status, (exchange.endedAt - exchange.startedAt) / 1000);
    if (exchange.slot !== null && exchange.forwardedAt > 0) {
      const endedAt = exchange.respondedAt > 0 ? exchange.respondedAt : exchange.endedAt;
      exchange.slot.observe(exchange.upstreamMethod, exchange.upstreamStatus, (endedAt - exchange.forwardedAt) / 1000);
    }
    use.end();
  }

  #forward(exchange: Exchange, backend: CompiledBackend | null, receiver: Receiver): void {
    if (backend === null || backend.service === null) {
      receiver.onFailure(exchange, new GatewayError("backend_invalid", "The route has no valid backend."));
      return;
    }
    backend.service.forward(exchange, this.#parts.policy, receiver);
  }
}
