import { type Address, connect, type RawClient } from "./client.ts";

/** What a load came to. */
export interface LoadResult {
  readonly answered: number;
  /** Everything that was not a whole answer with the expected status; at most a hundred are kept. */
  readonly failures: readonly string[];
}

export interface Load {
  /** Answers so far. */
  readonly answered: () => number;
  /** Ends after the requests in flight; the result counts them. */
  stop(): Promise<LoadResult>;
}

export interface LoadOptions {
  readonly to: Address;
  readonly connections: number;
  readonly request: string;
  readonly status?: number;
  /** Milliseconds between the requests of one connection. */
  readonly pauseMs?: number;
}

interface Tally {
  answered: number;
  isStopped: boolean;
  readonly failures: string[];
}

async function work(client: RawClient, options: LoadOptions, tally: Tally): Promise<void> {
  const expected = options.status ?? 200;
  while (!tally.isStopped) {
    await client.send(options.request);
    const { status } = await client.response();
    if (status !== expected) throw new Error(`status ${status}`);
    tally.answered++;
    if (options.pauseMs !== undefined) await Bun.sleep(options.pauseMs);
  }
}

async function workUntilStopped(options: LoadOptions, tally: Tally): Promise<void> {
  while (!tally.isStopped) {
    try {
      using client = await connect(options.to);
      await work(client, options, tally);
    } catch (error) {
      if (tally.failures.length < 100) tally.failures.push(String(error));
    }
  }
}

/** Sends the same request over kept connections until it is stopped. A failed connection is counted and replaced. */
export function startLoad(options: LoadOptions): Load {
  const tally: Tally = { answered: 0, isStopped: false, failures: [] };
  const workers = Array.from({ length: options.connections }, () => workUntilStopped(options, tally));
  return {
    answered: () => tally.answered,
    async stop() {
      tally.isStopped = true;
      await Promise.all(workers);
      return tally;
    },
  };
}

/** Asks again until the answer is true; rejects after `timeoutMs`, naming what was waited for. */
export async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const deadlineAt = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadlineAt) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await Bun.sleep(10);
  }
}
