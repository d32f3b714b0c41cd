/** Counts what a snapshot serves; what it holds is let go when it is retired and the last has ended. */
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

  /** Nothing new will begin. Once only. */
  retire(): void {
    this.#isRetired = true;
    if (this.#count === 0) this.#release();
  }
}
