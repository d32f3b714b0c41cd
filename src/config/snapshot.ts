import { GatewayError } from "../errors.ts";
import type { Chain } from "../route/chain.ts";
import type { RouteIndex } from "../route/index.ts";
import type { RouteRule } from "../route/rule.ts";
import { STRAIGHT } from "../route/serve.ts";
import { armDeadline, readDeadline } from "../service/deadline.ts";
import type { ForwardPolicy } from "../service/options.ts";
import type { Destination } from "../service/service.ts";
import type { Slot } from "../telemetry/histogram.ts";
import type { Split } from "../traffic/split.ts";
import type { Receiver } from "../wire/attempt.ts";
import type { Exchange, ExchangeObserver } from "../wire/exchange.ts";
import type { TimerWheel } from "../wire/timer-wheel.ts";
import type { PassthroughIndex } from "./passthrough.ts";
import type { SnapshotUse } from "./snapshot-use.ts";
import type { Config, RoutePriority } from "./types.ts";

/** One configuration, compiled and frozen. A request or a passage reads it once and keeps it to its end. */
export interface Snapshot {
  readonly version: string;
  readonly config: Config;
  readonly rules: readonly RouteRule<CompiledRoute>[];
  readonly index: RouteIndex<CompiledRoute>;
  readonly passthrough: PassthroughIndex;
  /** Says whether a listener serves a host; one that names no hostnames serves all. */
  serves(listener: string, host: string): boolean;
  readonly use: SnapshotUse;
}

export interface CompiledBackend {
  /** Null when nobody defines the service: its share is answered with 500. */
  readonly service: Destination | null;
  /** The route's plugins, then the backend's own; null for none. */
  readonly chain: Chain | null;
  readonly slot: Slot;
}

export interface CompiledRouteParts {
  readonly name: string;
  readonly priority: RoutePriority;
  /** For a route without backends, whose plugins answer. */
  readonly chain: Chain | null;
  readonly backends: readonly CompiledBackend[];
  readonly split: Split;
  readonly policy: ForwardPolicy;
  /** The policy's `timeoutMs` where services are told of it; 0 where they are not. */
  readonly toldMs: number;
  readonly wheel: TimerWheel;
  readonly slot: Slot;
  readonly use: SnapshotUse;
}

/** A route as requests meet it. */
export class CompiledRoute implements ExchangeObserver {
  readonly name: string;
  readonly priority: RoutePriority;
  readonly #parts: CompiledRouteParts;
  // What every request needs stands here itself: with many routes each object on the way is a miss of the cache.
  readonly #policy: ForwardPolicy;
  readonly #slot: Slot;
  readonly #use: SnapshotUse;
  /** The backend, where there is nothing to choose. */
  readonly #only: CompiledBackend | null;

  constructor(parts: CompiledRouteParts) {
    this.name = parts.name;
    this.priority = parts.priority;
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#slot = parts.slot;
    this.#use = parts.use;
    const [first = null] = parts.backends;
    this.#only = parts.backends.length === 1 && parts.split.pick() !== null ? first : null;
  }

  /** Serves a request from here to its end: plugins, then a backend. Never throws. */
  serve(exchange: Exchange): void {
    this.#take(exchange);
    const refusal = readDeadline(exchange);
    if (refusal !== null) {
      exchange.refuse(refusal);
      return;
    }
    const backend = this.#only ?? this.#choose();
    exchange.slot = backend?.slot ?? null;
    const chain = backend === null ? this.#parts.chain : backend.chain;
    // Attempts bound themselves; plugins have only this, and nothing else knows of the client's own time.
    const timeoutMs = chain === null ? 0 : this.#policy.timeoutMs;
    exchange.toldMs = this.#parts.toldMs;
    if (timeoutMs > 0 || exchange.expiresAt > 0)
      exchange.deadline = armDeadline(exchange, timeoutMs, this.#parts.wheel);
    if (chain === null) {
      this.#forward(exchange, backend, STRAIGHT);
      return;
    }
    chain.serve(exchange, (asked, receiver) => this.#forward(asked, backend, receiver));
  }

  /** Refuses a request before any work is done for it; it counts as this route's. Never throws. */
  refuse(exchange: Exchange, error: GatewayError): void {
    this.#take(exchange);
    exchange.refuse(error);
  }

  exchangeDone(exchange: Exchange): void {
    if (exchange.deadline !== null) this.#parts.wheel.remove(exchange.deadline);
    this.#slot.observe(exchange.method, exchange.status, (exchange.endedAt - exchange.startedAt) / 1000);
    if (exchange.slot !== null && exchange.forwardedAt > 0) {
      const endedAt = exchange.respondedAt > 0 ? exchange.respondedAt : exchange.endedAt;
      exchange.slot.observe(exchange.upstreamMethod, exchange.upstreamStatus, (endedAt - exchange.forwardedAt) / 1000);
    }
    this.#use.end();
  }

  #take(exchange: Exchange): void {
    exchange.route = this.name;
    exchange.observer = this;
    this.#use.begin();
  }

  #choose(): CompiledBackend | null {
    const chosen = this.#parts.split.pick();
    return chosen === null ? null : (this.#parts.backends[chosen] ?? null);
  }

  #forward(exchange: Exchange, backend: CompiledBackend | null, receiver: Receiver): void {
    if (backend === null || backend.service === null) {
      receiver.onFailure(exchange, new GatewayError("backend_invalid", "The route has no valid backend."));
      return;
    }
    backend.service.forward(exchange, this.#policy, receiver);
  }
}
