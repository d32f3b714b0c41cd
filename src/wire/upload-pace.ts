import { GatewayError } from "../errors.ts";
import { now } from "./event.ts";
import type { Exchange } from "./exchange.ts";
import { Timer, type TimerWheel } from "./timer-wheel.ts";

/** So long a client may be slower than the least rate, in all. */
const GRACE_MS = 5000;

export interface UploadPaceParts {
  readonly wheel: TimerWheel;
  readonly limits: {
    /** Bytes a second; null for no bound. */
    readonly bodyMinRate: number | null;
  };
  /** The client may send nothing now, as what it sent beside this body is not taken; absent where there is no such thing. */
  readonly isBlocked?: () => boolean;
}

/**
 * Bounds how slowly a request's body may come until its response begins. Only the time counts in which somebody waits
 * for the client's next byte, from the first one on: who sends nothing at all is silent, which is bounded otherwise.
 */
export class UploadPace extends Timer {
  readonly #wheel: TimerWheel;
  readonly #bytesPerMs: number;
  readonly #exchange: Exchange;
  readonly #onSlow: (error: GatewayError) => void;
  readonly #isBlocked: () => boolean;
  #bytes = 0;
  #waitedMs = 0;
  /** 0 while nobody waits. */
  #waitsSince = 0;

  constructor(
    parts: UploadPaceParts & { readonly rate: number },
    exchange: Exchange,
    onSlow: (error: GatewayError) => void,
  ) {
    super();
    this.#wheel = parts.wheel;
    this.#bytesPerMs = parts.rate / 1000;
    this.#exchange = exchange;
    this.#onSlow = onSlow;
    this.#isBlocked = parts.isBlocked ?? (() => false);
  }

  came(bytes: number): void {
    const isFirst = this.#bytes === 0;
    this.#bytes += bytes;
    if (isFirst) this.resume();
  }

  /** Nobody waits for more; nothing when that is so already. */
  pause(): void {
    if (this.#waitsSince === 0) return;
    this.#waitedMs += now() - this.#waitsSince;
    this.#waitsSince = 0;
    this.#wheel.disarm(this);
  }

  /** Somebody waits for more; nothing when that is so already, or nothing came at all. */
  resume(): void {
    if (this.#waitsSince > 0 || this.#bytes === 0) return;
    this.#waitsSince = now();
    this.#wheel.arm(this, Math.max(1, this.#leftMs()));
  }

  /** All came, or nobody wants the rest. */
  end(): void {
    this.#waitsSince = 0;
    this.#wheel.remove(this);
  }

  override fire(): void {
    const { isAnswered, isDone } = this.#exchange;
    if (isAnswered || isDone || this.#waitsSince === 0) return;
    if (this.#leftMs() <= 0 && this.#isBlocked()) {
      this.#waitedMs = this.#bytes / this.#bytesPerMs;
      this.#waitsSince = now();
    }
    const leftMs = this.#leftMs();
    if (leftMs > 0) this.#wheel.arm(this, leftMs);
    else this.#onSlow(new GatewayError("request_timeout", "The body comes too slowly."));
  }

  #leftMs(): number {
    const waitedMs = this.#waitedMs + (this.#waitsSince === 0 ? 0 : now() - this.#waitsSince);
    return GRACE_MS + this.#bytes / this.#bytesPerMs - waitedMs;
  }
}

/** The pace of that exchange's body, or null where there is no bound; `onSlow` is called once at the most. */
export function uploadPace(
  parts: UploadPaceParts,
  exchange: Exchange,
  onSlow: (error: GatewayError) => void,
): UploadPace | null {
  const { bodyMinRate: rate } = parts.limits;
  return rate === null ? null : new UploadPace({ ...parts, rate }, exchange, onSlow);
}
