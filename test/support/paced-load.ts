import { type Address, connect, type RawClient } from "./client.ts";

/** One request of a load, and what its client saw. */
export interface Sample {
  /** When it began, in milliseconds of `performance.now()`. */
  readonly at: number;
  readonly tookMs: number;
  readonly method: "GET" | "PUT";
  /**
   * `ok`: a whole 200 with the right body. `broken_body`: a 200 that the connection's end cut short, as the client can
   * tell. Else the status, `wrong_body`, or why there was no answer.
   */
  readonly outcome: string;
}

export interface PacedLoadOptions {
  readonly to: Address;
  readonly path: string;
  readonly perSecond: number;
  /** What a GET is answered with; a PUT has its own body back. */
  readonly page: string;
}

/** A load that does not wait for answers: what is slow does not slow it down. */
export interface PacedLoad extends AsyncDisposable {
  /** Of the requests that ended, in that order. */
  readonly samples: readonly Sample[];
  /** Requests so far, those under way included. */
  readonly sent: () => number;
  /** Ends after the requests in flight. */
  stop(): Promise<void>;
}

const TICK_MS = 4;
/** A machine that stood still for a while does not make up for it at once. */
const BURST = 20;
const MOST_IN_FLIGHT = 400;
const ANSWER_WITHIN_MS = 30_000;
const UPLOAD = "torii".repeat(200);

function requestOf(method: Sample["method"], path: string): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\n`;
  return method === "GET" ? `${head}\r\n` : `${head}Content-Length: ${UPLOAD.length}\r\n\r\n${UPLOAD}`;
}

async function ask(client: RawClient, method: Sample["method"], { path, page }: PacedLoadOptions): Promise<string> {
  await client.send(requestOf(method, path));
  const { message, state } = await client.outcome(method, ANSWER_WITHIN_MS);
  if (message === null) return `no answer, ${state}`;
  if (message.status !== 200) return `${message.status} ${message.body.toString("latin1").slice(0, 80)}`;
  if (!message.isComplete) return "broken_body";
  return message.body.toString("latin1") === (method === "GET" ? page : UPLOAD) ? "ok" : "wrong_body";
}

/** GET and PUT in turn, over kept connections, as many as it takes. */
export function startPacedLoad(options: PacedLoadOptions): PacedLoad {
  const samples: Sample[] = [];
  const idle: RawClient[] = [];
  const running = new Set<Promise<void>>();
  const spacingMs = 1000 / options.perSecond;
  let dueAt = performance.now();
  let sent = 0;

  async function request(): Promise<void> {
    const at = performance.now();
    const method = sent++ % 2 === 0 ? "GET" : "PUT";
    let client = idle.pop();
    while (client !== undefined && client.peer.state !== "open") client = idle.pop();
    let outcome: string;
    try {
      client ??= await connect(options.to);
      outcome = await ask(client, method, options);
    } catch (error) {
      outcome = String(error);
    }
    samples.push({ at, tookMs: performance.now() - at, method, outcome });
    if (outcome === "ok" && client?.peer.state === "open") idle.push(client);
    else client?.[Symbol.dispose]();
  }

  function tick(): void {
    const now = performance.now();
    dueAt = Math.max(dueAt, now - BURST * spacingMs);
    for (; dueAt <= now; dueAt += spacingMs) {
      if (running.size >= MOST_IN_FLIGHT) continue;
      const one: Promise<void> = request().finally(() => running.delete(one));
      running.add(one);
    }
  }

  const timer = setInterval(tick, TICK_MS);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(running);
    for (const client of idle.splice(0)) client[Symbol.dispose]();
  };
  return { samples, sent: () => sent, stop, [Symbol.asyncDispose]: stop };
}

/** What a share of a load came to. */
export interface LoadFigures {
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** Of the requests that began from one moment to before another; all 0 where there were none. */
export function figuresOf(samples: readonly Sample[], fromAt: number, toAt: number): LoadFigures {
  const within = samples.filter(({ at }) => at >= fromAt && at < toAt);
  const times = within.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const quantile = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    requests: within.length,
    failed: within.filter(({ outcome }) => outcome !== "ok").length,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    longestMs: times.at(-1) ?? 0,
  };
}
