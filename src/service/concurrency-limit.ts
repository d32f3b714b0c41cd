import type { AdaptiveOptions } from "./concurrency-options.ts";
import { ResponseTimes } from "./concurrency-times.ts";

/** Fewer answers decide nothing. */
const LEAST_ANSWERS = 20;
/** So many answers are enough for a response time to go by. */
const ENOUGH_ANSWERS = 100;
/** No interval takes more from the limit than this, before smoothing. */
const LEAST_GRADIENT = 0.5;
/** While nothing is held back, so much of each interval's response time goes into the base. */
const BASE_SHARE = 0.02;
/** So many such intervals make a base that need not be measured. */
const ENOUGH_CALM = 10;
/** Response times that differ by more are others, and no noise. */
const OTHER = 1.5;
/** From one interval to the next; with more, a line grows at the service, and will grow. */
const STEADY = 1.25;
/** A limit that fell to less than this share is held against a base that may be out of date. */
const FELL = 0.5;
/** With fewer in flight, chance decides what is measured. */
const LEAST_MEASURED = 3;
/** Times of a response. */
const SEVERAL = 5;
/** Times of a response until there are fewer in flight, at the most. */
const LEAVING = 4;
/** Times of a response from then on, until it is that of fewer. */
const SETTLING = 2;
/** A measuring takes this share of the time at most. */
const MEASURING_SHARE = 0.05;

/** How many requests a service has at once, and what is learnt from them. */
export interface Limit {
  /** Whole requests, at least one. */
  readonly current: number;
  /** Response time of the service when nobody waits there, ms; 0: not known, or of no interest. */
  readonly baseMs: number;
  /** Requests wait for the limit, or were refused. */
  held(): void;
  /** So many are in flight after one has left. */
  left(inFlight: number): void;
  /** An attempt was answered so long after it began, with so many in flight. */
  answered(tookMs: number, inFlight: number): void;
  /** An attempt ran out of time, or was answered that there is too much to do. */
  dropped(inFlight: number): void;
}

/** A limit that stays as it is. */
export function fixedLimit(current: number): Limit {
  const nothing = () => {};
  return { current, baseMs: 0, held: nothing, left: nothing, answered: nothing, dropped: nothing };
}

/**
 * A limit that follows the gradient of the response time: it grows by its square root while requests are answered as
 * fast as by the unhurried service, and shrinks by as much as they are slower. Where the service is not limited by it,
 * it stays.
 */
export class AdaptiveLimit implements Limit {
  baseMs = 0;
  readonly #options: AdaptiveOptions;
  readonly #nowMs: () => number;
  readonly #times = new ResponseTimes();
  #estimate: number;
  /** Until the first sign of a queue it grows by whole steps. */
  #isSearching = true;
  #drops = 0;
  #mostInFlight = 0;
  #isHeld = false;
  #endsAt = 0;
  /** The limit while the base is measured; 0: it is not. */
  #measured = 0;
  #measuringSince = 0;
  /** What is measured next, while it descends. */
  #fewer = 0;
  /** When answers begin to be those of `#measured` in flight; 0: there are more yet. */
  #settledAt = 0;
  #measureAt = 0;
  /** The base is that of few in flight, or of calm times: nobody waited at the service. */
  #isSure = false;
  /** Intervals in which nothing was held back. */
  #calm = 0;
  /** The last measuring found a line at the service, or may have: until the next it does not grow. */
  #isDescending = false;
  /** The last measuring was no more than its share of the time. */
  #restsUntil = 0;
  /** Response time of the last interval that had one, ms. */
  #tookMs = 0;
  /** The most it was since the base was measured. */
  #height = 0;

  constructor(options: AdaptiveOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    this.#estimate = options.initial;
  }

  get current(): number {
    return Math.max(1, Math.floor(this.#measured === 0 ? this.#estimate : this.#measured));
  }

  held(): void {
    this.#isHeld = true;
    this.#mostInFlight = Math.max(this.#mostInFlight, this.current);
    if (this.#measured > 0) this.#measureOn(this.#nowMs());
  }

  left(inFlight: number): void {
    if (this.#measured === 0) return;
    const nowMs = this.#nowMs();
    // What is answered before has waited behind others. To count by when they began would leave out slow ones.
    if (this.#settledAt === 0 && inFlight <= this.#measured) this.#settledAt = nowMs + SETTLING * this.#tookMs;
    this.#measureOn(nowMs);
  }

  answered(tookMs: number, inFlight: number): void {
    const nowMs = this.#nowMs();
    if (this.#measured > 0 && (this.#settledAt === 0 || nowMs < this.#settledAt)) return;
    this.#times.add(Math.max(tookMs, 0.01));
    this.#heard(inFlight, nowMs);
  }

  dropped(inFlight: number): void {
    this.#drops++;
    this.#heard(inFlight, this.#nowMs());
  }

  #heard(inFlight: number, nowMs: number): void {
    this.#mostInFlight = Math.max(this.#mostInFlight, inFlight);
    if (this.#measured > 0) this.#measureOn(nowMs);
    else if (this.#endsAt === 0) this.#endsAt = nowMs + this.#options.intervalMs;
    else if (nowMs >= this.#endsAt && this.#times.count + this.#drops >= LEAST_ANSWERS) this.#look(nowMs);
  }

  /** The end of an interval. */
  #look(nowMs: number): void {
    const { intervalMs, percentile } = this.#options;
    const share = this.#drops / (this.#times.count + this.#drops);
    const tookMs = this.#times.at(percentile);
    const isSteady = tookMs > 0 && tookMs < this.#tookMs * STEADY;
    if (tookMs > 0) this.#learn(tookMs);
    if (tookMs > 0) this.#tookMs = tookMs;
    const isLimited = this.#mostInFlight >= this.#estimate / 2;
    if (isLimited) this.#move(tookMs > 0 ? tookMs : this.baseMs, share);
    this.#height = Math.max(this.#height, this.#estimate);
    const isFast = tookMs > 0 && tookMs < this.baseMs * FELL && nowMs >= this.#restsUntil;
    const isDue =
      (nowMs >= this.#measureAt && (this.#isSure || isSteady)) || this.#estimate < this.#height * FELL || isFast;
    if (this.#isHeld && isLimited && isDue) this.#measure(nowMs);
    this.#begin(nowMs + Math.max(intervalMs, tookMs));
  }

  #begin(endsAt: number): void {
    this.#times.clear();
    this.#drops = 0;
    this.#mostInFlight = 0;
    this.#isHeld = false;
    this.#endsAt = endsAt;
  }

  /** While requests are held back the service is at its limit, and its response times are not those of the unhurried one. */
  #learn(tookMs: number): void {
    if (this.baseMs === 0 || (this.#isHeld && !this.#isSure)) this.baseMs = tookMs;
    else if (!this.#isHeld) {
      this.baseMs += Math.max(BASE_SHARE, 1 / ++this.#calm) * (tookMs - this.baseMs);
      this.#isSure ||= this.#calm >= ENOUGH_CALM;
    }
    // No service answers in less than half the time that it needs, but for chance.
    if (this.#times.count >= ENOUGH_ANSWERS / 2) this.baseMs = Math.min(this.baseMs, tookMs / FELL);
  }

  #move(tookMs: number, dropShare: number): void {
    const { max, min, smoothing, tolerance } = this.#options;
    const slope = tookMs === 0 ? 1 : Math.min(1, (tolerance * this.baseMs) / tookMs);
    const gradient = Math.max(LEAST_GRADIENT, slope * (1 - dropShare));
    if (gradient < 1) this.#isSearching = false;
    const goal = this.#estimate * gradient + Math.sqrt(this.#estimate) * (1 - dropShare);
    const step = (goal - this.#estimate) * (this.#isSearching ? 1 : smoothing);
    if (this.#isDescending && step > 0) return;
    this.#estimate = Math.min(max, Math.max(min, this.#estimate + step));
  }

  /**
   * Lets in so few for a while that they do not wait for each other at the service: the limit is some `tolerance` times
   * what that can do. Only ever done while there are more than may be in flight.
   */
  #measure(nowMs: number): void {
    const few = this.#estimate / (2 * this.#options.tolerance);
    const wanted = Math.max(LEAST_MEASURED, Math.floor(this.#isDescending ? Math.min(few, this.#fewer) : few));
    this.#measured = Math.min(wanted, this.current);
    this.#measuringSince = nowMs;
    this.#settledAt = 0;
  }

  #measureOn(nowMs: number): void {
    const { intervalMs } = this.#options;
    const { count } = this.#times;
    const settledMs = this.#settledAt === 0 ? 0 : nowMs - this.#settledAt;
    // The first answers are those of quick requests: only after several times as long do they tell of all.
    const longMs = Math.max(intervalMs, SEVERAL * this.#tookMs);
    if (settledMs >= longMs && count >= (settledMs < 2 * longMs ? ENOUGH_ANSWERS : LEAST_ANSWERS))
      this.#found(this.#times.at(this.#options.percentile), nowMs);
    else if (nowMs - this.#measuringSince > 4 * longMs) this.#over(nowMs);
    // Long responses keep their places. They are not for the others to wait for: the base has to do as it is.
    else if (this.#settledAt === 0 && nowMs - this.#measuringSince > Math.max(intervalMs, LEAVING * this.#tookMs)) {
      this.#isSure = true;
      this.#over(nowMs);
    }
  }

  #found(tookMs: number, nowMs: number): void {
    const before = this.baseMs;
    const isLess = tookMs * OTHER < before;
    const isMore = this.#isSure && tookMs > before * OTHER;
    this.baseMs = isLess || isMore || !this.#isSure ? tookMs : (before + tookMs) / 2;
    this.#isSure = !isLess;
    const fewer = this.#measured / 2;
    // Fewer are answered faster: the others only waited at the service, and perhaps half of these do as well.
    if (isLess) this.#estimate = Math.max(this.#options.min, this.#measured);
    this.#over(nowMs);
    // Even so few are slower than they were: the service is slower, or can do less, which half as many will tell apart.
    this.#isDescending = (isLess || isMore) && fewer >= LEAST_MEASURED;
    if (!this.#isDescending) return;
    this.#fewer = fewer;
    this.#measureAt = nowMs + SEVERAL * tookMs;
  }

  #over(nowMs: number): void {
    const { intervalMs, minRttIntervalMs } = this.#options;
    this.#restsUntil = nowMs + (nowMs - this.#measuringSince) / MEASURING_SHARE;
    this.#measureAt = this.#isSure
      ? Math.max(nowMs + minRttIntervalMs, this.#restsUntil)
      : nowMs + SEVERAL * this.#tookMs;
    this.#measured = 0;
    this.#isDescending = false;
    this.#height = this.#estimate;
    this.#begin(nowMs + intervalMs);
  }
}
