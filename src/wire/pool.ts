import { GatewayError } from "../errors.ts";
import type { Attempt } from "./attempt.ts";
import { Dial, type DialOptions } from "./dial.ts";
import { now } from "./event.ts";
import type { ParsedResponse } from "./parse-response.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";
import { Upstream, type UpstreamOwner } from "./upstream.ts";

/** So many tries that nobody waits for any more may stay open at once; beyond, only one in a while is made. */
const ABANDONED_LIMIT = 64;
const PROBE_MS = 100;
/** Attempts that wait for a connection when there may be no more of them. */
const QUEUE_LIMIT = 1024;

export interface PoolOptions extends DialOptions {
  /** An idle connection is closed after so much silence. */
  readonly idleMs: number;
  /** 0 for no bound. */
  readonly maxConnections: number;
}

/** The connections to one endpoint. Reuses the newest first, retries nothing, and counts what is in flight. */
export class UpstreamPool implements UpstreamOwner {
  /** Attempts that were begun and have not ended, waiting ones included. */
  inFlight = 0;
  last: ParsedResponse | null = null;
  readonly wheel: TimerWheel;
  readonly #options: PoolOptions;
  readonly #idle: Upstream[] = [];
  readonly #open = new Set<Upstream>();
  readonly #queue: Waiting[] = [];
  /** Connections that are being opened, those nobody waits for any more included. */
  #dialing = 0;
  #abandoned = 0;
  #dialedAt = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.wheel = options.wheel;
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
    else this.#enqueue(attempt);
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
    const next = this.#nextQueued();
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

  /** Closes idle connections now and the others when their attempt ended. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.terminate();
  }

  get #hasRoom(): boolean {
    const { maxConnections } = this.#options;
    return maxConnections === 0 || this.#open.size + this.#dialing < maxConnections;
  }

  #enqueue(attempt: Attempt): void {
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#fail(attempt, new GatewayError("overloaded", "Too many requests wait for this endpoint.", SENT_NOTHING));
      return;
    }
    const waiting: Waiting = new Waiting(attempt, (error) => this.#giveUp(waiting, error));
    this.#queue.push(waiting);
    attempt.exchange.onGone = waiting.giveUp;
    this.wheel.arm(waiting, attempt.timeouts.responseMs);
  }

  #giveUp(waiting: Waiting, error: GatewayError): void {
    const at = this.#queue.indexOf(waiting);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.wheel.remove(waiting);
    this.#fail(waiting.attempt, error);
  }

  /** Gives the place of a connection that closed, or never came about, to the oldest waiting attempt. */
  #connectNext(): void {
    const next = this.#hasRoom ? this.#nextQueued() : null;
    if (next !== null) this.#connect(next);
  }

  /** The oldest waiting attempt whose client is still there. */
  #nextQueued(): Attempt | null {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      // Left in the wheel it would keep the whole exchange alive until its time.
      this.wheel.remove(next);
      if (!next.attempt.exchange.isDone) return next.attempt;
      this.#fail(next.attempt, clientLeft());
    }
    return null;
  }

  #fail(attempt: Attempt, error: GatewayError): void {
    this.settled();
    attempt.receiver.onFailure(attempt.exchange, error);
  }

  #connect(attempt: Attempt): void {
    if (this.#abandoned >= ABANDONED_LIMIT && now() - this.#dialedAt < PROBE_MS) {
      this.#fail(attempt, new GatewayError("upstream_connect", "The upstream accepts no connections.", SENT_NOTHING));
      return;
    }
    this.#dialedAt = now();
    this.#dialing++;
    new Dial(attempt.exchange, this.#options, {
      opened: (socket) => {
        const connection = new Upstream(socket, this);
        this.#open.add(connection);
        connection.begin(attempt);
        return connection;
      },
      failed: (error) => this.#fail(attempt, error),
      abandoned: () => {
        this.#abandoned++;
      },
      settled: (wasAbandoned) => {
        this.#dialing--;
        if (wasAbandoned) this.#abandoned--;
        this.#connectNext();
      },
    });
  }
}

const SENT_NOTHING = { sent: "nothing" } as const;

function clientLeft(): GatewayError {
  return new GatewayError("client_closed", "The client left before a connection was there.", SENT_NOTHING);
}

/** An attempt that waits for a connection, and its patience. */
class Waiting extends Timer {
  readonly attempt: Attempt;
  readonly giveUp: (error: GatewayError) => void;

  constructor(attempt: Attempt, giveUp: (error: GatewayError) => void) {
    super();
    this.attempt = attempt;
    this.giveUp = giveUp;
  }

  override fire(): void {
    this.giveUp(new GatewayError("upstream_timeout", "No connection became free in time.", SENT_NOTHING));
  }
}
