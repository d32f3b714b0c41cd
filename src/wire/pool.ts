import type { GatewayError } from "../errors.ts";
import type { Attempt } from "./attempt.ts";
import { Dialing } from "./dialing.ts";
import type { Pool, PoolOptions } from "./endpoint-pool.ts";
import type { ParsedResponse } from "./parse-response.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import { Upstream, type UpstreamOwner } from "./upstream.ts";
import { QUEUE_LIMIT, WaitingQueue } from "./waiting.ts";

/** The HTTP/1.1 connections to one endpoint. Reuses the newest first, and counts what is in flight. */
export class UpstreamPool implements Pool, UpstreamOwner {
  inFlight = 0;
  last: ParsedResponse | null = null;
  readonly wheel: TimerWheel;
  readonly #options: PoolOptions;
  readonly #idle: Upstream[] = [];
  readonly #open = new Set<Upstream>();
  readonly #waiting: WaitingQueue;
  readonly #dialing: Dialing;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.wheel = options.wheel;
    this.#waiting = new WaitingQueue({
      wheel: options.wheel,
      limit: QUEUE_LIMIT,
      pending: options.pending ?? null,
      fail: (attempt, error) => this.#fail(attempt, error),
    });
    this.#dialing = new Dialing(options, () => this.#connectNext());
  }

  get openConnections(): number {
    return this.#open.size;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  /** Sends the attempt's request, on an idle connection if there is one and `isFresh` is not asked for. */
  send(attempt: Attempt, isFresh = false): void {
    this.inFlight++;
    const idle = isFresh ? undefined : this.#idle.pop();
    if (idle !== undefined) idle.begin(attempt);
    else if (this.#hasRoom) this.#connect(attempt);
    else this.#waiting.add(attempt);
  }

  /** Called by a connection whose attempt ended, one way or the other. */
  settled(): void {
    this.inFlight--;
  }

  /** Called by a connection that may be used again. */
  release(connection: Upstream): void {
    if (this.#isClosed) {
      connection.terminate();
      return;
    }
    const next = this.#waiting.next();
    if (next !== null) {
      connection.begin(next);
      return;
    }
    connection.rest(this.#options.idleMs);
    this.#idle.push(connection);
  }

  /** Called by a connection whose socket closed. */
  closed(connection: Upstream): void {
    this.#open.delete(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#connectNext();
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.terminate();
  }

  get #hasRoom(): boolean {
    const { maxConnections } = this.#options;
    return maxConnections === 0 || this.#open.size + this.#dialing.count < maxConnections;
  }

  /** Gives the place of a connection that closed, or never came about, to the oldest waiting attempt. */
  #connectNext(): void {
    const next = this.#hasRoom ? this.#waiting.next() : null;
    if (next !== null) this.#connect(next);
  }

  #fail(attempt: Attempt, error: GatewayError): void {
    this.settled();
    attempt.receiver.onFailure(attempt.exchange, error);
  }

  #connect(attempt: Attempt): void {
    this.#dialing.open(attempt.asker, {
      opened: (socket) => {
        const connection = new Upstream(socket, this);
        this.#open.add(connection);
        connection.begin(attempt);
        return connection;
      },
      failed: (error) => this.#fail(attempt, error),
    });
  }
}
