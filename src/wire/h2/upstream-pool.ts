import type { Socket } from "bun";
import { GatewayError } from "../../errors.ts";
import type { Attempt } from "../attempt.ts";
import { Dialing } from "../dialing.ts";
import type { Pool, PoolOptions } from "../endpoint-pool.ts";
import { now } from "../event.ts";
import { QUEUE_LIMIT, WaitingQueue } from "../waiting.ts";
import { UpstreamSession, type UpstreamSessionOwner } from "./upstream-session.ts";

/** While other connections work, one that failed is tried again only after so long. */
const RETRY_MS = 1000;

const NOT_H2 = "The upstream did not begin to speak HTTP/2.";

/**
 * The HTTP/2 connections to one endpoint. The oldest that can takes the next attempt, so that those beyond need fall
 * idle; another is opened when all are full.
 */
export class H2Pool implements Pool, UpstreamSessionOwner {
  inFlight = 0;
  readonly #options: PoolOptions;
  readonly #open = new Set<UpstreamSession>();
  /** Those that attempts may be begun on, the oldest first. */
  readonly #usable: UpstreamSession[] = [];
  /** Those whose peer has not begun to speak HTTP/2. */
  readonly #fresh = new Set<UpstreamSession>();
  readonly #waiting: WaitingQueue;
  readonly #dialing: Dialing;
  /** Connections on their way, from the dial to the peer's settings. */
  #opening = 0;
  /** Attempts that one connection takes at once, as far as is known. */
  #capacity = Number.POSITIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const limit = options.maxConnections === 0 ? Number.POSITIVE_INFINITY : QUEUE_LIMIT;
    this.#waiting = new WaitingQueue({
      wheel: options.wheel,
      limit,
      pending: options.pending ?? null,
      fail: (attempt, error) => this.#fail(attempt, error),
    });
    this.#dialing = new Dialing(options, () => this.#grow());
  }

  get openConnections(): number {
    return this.#open.size;
  }

  get idleConnections(): number {
    return this.#usable.filter((session) => session.isIdle).length;
  }

  /** Whatever may have gone stale gives a sign of life first, so every connection is as good as a fresh one. */
  send(attempt: Attempt): void {
    this.inFlight++;
    for (const session of this.#usable) {
      if (!session.canTake()) continue;
      session.take(attempt);
      return;
    }
    this.#waiting.add(attempt);
    this.#grow();
  }

  close(): void {
    this.#isClosed = true;
    for (const session of [...this.#usable]) session.close();
  }

  // UpstreamSessionOwner

  settled(): void {
    this.inFlight--;
  }

  ready(session: UpstreamSession): void {
    if (session.hasBegun && this.#fresh.delete(session)) this.#begun(session);
    if (this.#waiting.size > 0) this.#serve(session);
    if (this.#isClosed && session.isIdle && this.#waiting.size === 0) session.close();
  }

  going(session: UpstreamSession): void {
    const at = this.#usable.indexOf(session);
    if (at >= 0) this.#usable.splice(at, 1);
    if (!this.#fresh.delete(session)) return;
    this.#opening--;
    this.#failed(new GatewayError("upstream_connect", NOT_H2, { sent: "nothing" }));
  }

  broke(): void {
    for (const session of this.#usable) session.doubt();
  }

  closed(session: UpstreamSession): void {
    this.#open.delete(session);
    this.#grow();
  }

  #begun(session: UpstreamSession): void {
    this.#opening--;
    this.#usable.push(session);
    this.#capacity = Math.max(1, session.capacity);
    // Who takes nothing at all is not asked again and again.
    if (session.capacity === 0) this.#failedAt = now();
  }

  #serve(session: UpstreamSession): void {
    while (this.#waiting.size > 0 && session.canTake()) {
      const next = this.#waiting.next();
      if (next !== null) session.take(next);
    }
    this.#grow();
  }

  /** Another connection may be opened. */
  get hasRoom(): boolean {
    const { maxConnections } = this.#options;
    return maxConnections === 0 || this.#open.size + this.#dialing.count < maxConnections;
  }

  /** Opens as many connections as those that wait need. */
  #grow(): void {
    while (this.#isShort && this.hasRoom) {
      if (this.#usable.length > 0 && now() - this.#failedAt < RETRY_MS) return;
      this.#connect();
    }
  }

  get #isShort(): boolean {
    const waiting = this.#waiting.size;
    if (waiting === 0) return false;
    return this.#opening === 0 ? !this.#isProbing : waiting > this.#opening * this.#capacity;
  }

  /** A peer that is asked for a sign of life will take what waits, or break. */
  get #isProbing(): boolean {
    return this.#usable.some((session) => session.isProbing);
  }

  #connect(): void {
    this.#opening++;
    this.#dialing.open(
      { onGone: null },
      {
        opened: (socket) => this.#opened(socket),
        failed: (error) => {
          this.#opening--;
          this.#failed(error);
        },
      },
    );
  }

  #opened(socket: Socket<unknown>): UpstreamSession {
    const { connectMs, idleMs, wheel, tls } = this.#options;
    const scheme = tls === null ? "http" : "https";
    const session = new UpstreamSession(socket, this, { scheme, connectMs, idleMs, wheel });
    this.#open.add(session);
    this.#fresh.add(session);
    session.begin();
    return session;
  }

  /** A connection did not come about: what waits for it fails, unless others will take it in the end. */
  #failed(error: GatewayError): void {
    this.#failedAt = now();
    if (this.#usable.length > 0) return;
    for (let next = this.#waiting.next(); next !== null; next = this.#waiting.next()) this.#fail(next, error);
  }

  #fail(attempt: Attempt, error: GatewayError): void {
    this.settled();
    attempt.receiver.onFailure(attempt.exchange, error);
  }
}
