/** Whether Redis can be read, and whether what is missing there is gone. */
export interface MeshTrust {
  /** Whether the last reading succeeded; true before the first. */
  readonly isUp: boolean;
  /** What is missing may only not have been written again yet. */
  readonly isDoubtful: boolean;
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

/** For so long after Redis was away, what is missing is not yet taken for gone: its owners write it again first. */
const GRACE_MS = 15_000;

/** Trusts at first. */
export function createTrust({ now, onState }: MeshTrustOptions): MeshTrust {
  let isUp = true;
  let trustsAt = Number.NEGATIVE_INFINITY;

  function doubt(): void {
    trustsAt = now() + GRACE_MS;
  }

  return {
    get isUp() {
      return isUp;
    },
    get isDoubtful() {
      return now() < trustsAt;
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
