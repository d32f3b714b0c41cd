/** More steps than these are taken for one, which counts as spent when the last of them was. */
const MOST_STEPS = 16;
/** Clocks may differ in speed: two parts in a hundred less than it was. */
const MICROS = 980;

interface Step {
  readonly fromMs: number;
  lastMs: number;
  micro: number;
}

/** When what was spent since the last report, in steps. */
export class Trail {
  readonly #stepMs: number;
  #steps: Step[] = [];
  #last: Step | null = null;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  add(micro: number, nowMs: number): void {
    const last = this.#last;
    if (last !== null && nowMs - last.fromMs < this.#stepMs) {
      last.lastMs = nowMs;
      last.micro += micro;
      return;
    }
    this.#last = { fromMs: nowMs, lastMs: nowMs, micro };
    this.#steps.push(this.#last);
    const [first, second] = this.#steps;
    if (this.#steps.length <= MOST_STEPS || first === undefined || second === undefined) return;
    second.micro += first.micro;
    this.#steps.shift();
  }

  /** Tells `age:amount;` in microseconds and millionths of each step, the latest first, and begins anew. */
  tell(nowMs: number): string {
    let text = "";
    for (const { lastMs, micro } of this.#steps.reverse()) {
      text += `${Math.floor(Math.max(0, nowMs - lastMs) * MICROS)}:${micro};`;
    }
    this.#steps = [];
    this.#last = null;
    return text;
  }
}
