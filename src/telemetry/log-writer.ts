import { closeSync, constants, openSync } from "node:fs";
import { writeFully } from "./fd-write.ts";
import { createLineBuffer } from "./line-buffer.ts";

// From here on a write is worth its own; below, lines wait a little for company.
const WRITE_SOON_BYTES = 64 * 1024;
const GATHER_MS = 50;
const NEWLINE = Buffer.from("\n");
const OPEN_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;

/** A file's path, or a descriptor that somebody else closes, such as 1. */
export type LogTarget = string | number;

export interface LogWriterOptions {
  readonly target: LogTarget;
  /** The most memory that waiting lines may take; 8 MiB unless given. */
  readonly maxBufferBytes?: number;
  /** How long `close` waits for a slow reader; 2,000 unless given. */
  readonly closeTimeoutMs?: number;
  /** Hears how many lines were lost, because the reader is slow or gone or the disk is full. */
  readonly onDrop?: (lines: number) => void;
}

/** Writes lines to a descriptor in the background, in order. */
export interface LogWriter {
  /** Takes a line, its end included; drops it when there is no room or the writer is closed. Never waits or throws. */
  write(line: string): void;
  /** The same for whole lines as bytes, all or none of them. */
  writeBytes(lines: Uint8Array): void;
  /** Resolves when all lines taken so far are written or dropped: with a reader that never reads, never. */
  flush(): Promise<void>;
  /** Opens the path anew, for rotation; not for a descriptor. Throws, and keeps the old file, when it cannot. */
  reopen(): void;
  /** Writes what is left, within `closeTimeoutMs`, drops the rest, and closes what was opened here. */
  close(): Promise<void>;
}

// O_NONBLOCK: a FIFO that nobody reads must neither hold up the start nor occupy a thread for ever.
function openTarget(target: LogTarget): number {
  return typeof target === "number" ? target : openSync(target, OPEN_FLAGS, 0o640);
}

function lineEnds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** The descriptor, which may be exchanged between two batches. */
function createSink(target: LogTarget) {
  let fd = openTarget(target);
  let next: number | null = null;
  let isTorn = false;

  function turn(): void {
    if (next === null) return;
    closeSync(fd);
    fd = next;
    next = null;
    isTorn = false;
  }

  /** Writes whole lines and tells how many of them are lost. */
  async function put(batch: Buffer, isGivenUp: () => boolean): Promise<number> {
    turn();
    // A write that broke off within a line leaves its rest missing; the next line begins on its own all the same.
    if (isTorn && (await writeFully(fd, NEWLINE, isGivenUp)) === 0) return lineEnds(batch);
    const written = await writeFully(fd, batch, isGivenUp);
    if (written > 0) isTorn = batch[written - 1] !== NEWLINE[0];
    return lineEnds(batch.subarray(written));
  }

  function exchange(): void {
    if (typeof target === "number") return;
    const opened = openTarget(target);
    if (next !== null) closeSync(next);
    next = opened;
  }

  function close(): void {
    if (typeof target === "number") return;
    turn();
    closeSync(fd);
  }

  return { put, exchange, close };
}

/** Bounded in memory, one asynchronous write at a time. Throws when the path cannot be opened. */
export function createLogWriter(options: LogWriterOptions): LogWriter {
  const sink = createSink(options.target);
  const buffer = createLineBuffer(options.maxBufferBytes ?? 8 * 1024 * 1024);
  let running: Promise<void> | null = null;
  let timer: Timer | null = null;
  let waiting: (() => void)[] = [];
  let isClosed = false;
  let isGivenUp = false;
  const drop = (lines: number) => void (lines > 0 && options.onDrop?.(lines));

  async function putBatch(): Promise<void> {
    // Who waits now waits for what has gathered by now, not for what busy clients add meanwhile.
    const resolves = waiting;
    waiting = [];
    drop(await sink.put(buffer.take(), () => isGivenUp));
    for (const resolve of resolves) resolve();
  }

  async function run(): Promise<void> {
    do await putBatch();
    while (buffer.gatheredBytes >= WRITE_SOON_BYTES || waiting.length > 0);
    running = null;
    if (buffer.gatheredBytes > 0) soon();
  }

  function start(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    running ??= run();
    return running;
  }

  function soon(): void {
    timer ??= setTimeout(() => void start(), GATHER_MS);
  }

  function settle(isKept: boolean, lines: Uint8Array | null): void {
    if (!isKept) drop(lines === null ? 1 : lineEnds(lines));
    else if (running === null) {
      if (buffer.gatheredBytes >= WRITE_SOON_BYTES) void start();
      else soon();
    }
  }

  function flush(): Promise<void> {
    return new Promise((resolve) => {
      waiting.push(resolve);
      void start();
    });
  }

  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    await within(flush(), options.closeTimeoutMs ?? 2000);
    isGivenUp = true;
    // A reader that is only busy lets the batch under way end now; a thread blocked in a pipe is left behind.
    if (running !== null) await within(running, GATHER_MS);
    drop(lineEnds(buffer.take()));
    sink.close();
  }

  return {
    write: (line) => settle(!isClosed && buffer.add(line), null),
    writeBytes: (lines) => settle(!isClosed && buffer.addBytes(lines), lines),
    flush,
    reopen: sink.exchange,
    close,
  };
}
