/** Whether Redis can be read, and whether what is missing there is gone. */
export interface MeshTrust {
  /** Whether the last reading succeeded; true before the first. */
  readonly isUp: boolean;
  /** When Redis may have lost what it held for the last time, by the clock; -Infinity: never. */
  readonly doubtedAt: number;
  /** A reading succeeded. */
  succeeded(): void;
  /** A reading failed, as Redis is away. */
  failed(reason: string): void;
  /** Redis may have lost what it held. */
  doubt(): void;
}

export interface MeshTrustOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly onState: (isUp: boolean, reason: string | null) => void;
}

/** Trusts at first. */
export function createTrust({ now, onState }: MeshTrustOptions): MeshTrust {
  let isUp = true;
  let doubtedAt = Number.NEGATIVE_INFINITY;

  function doubt(): void {
    doubtedAt = now();
  }

  return {
    get isUp() {
      return isUp;
    },
    get doubtedAt() {
      return doubtedAt;
    },
    succeeded: () => {
      if (isUp) return;
      isUp = true;
      doubt();
      onState(true, null);
    },
    failed: (reason) => {
      if (!isUp) return;
      isUp = false;
      onState(false, reason);
    },
    doubt,
  };
}
