import { type AccessEntry, accessLine, createTimeText } from "./access-line.ts";
import { createLogWriter, type LogWriterOptions } from "./log-writer.ts";

/** One JSON line a request, written in the background. */
export interface AccessLog {
  /** Takes a line for this request, or drops and counts it when the reader is too slow. Never waits or throws. */
  log(entry: AccessEntry): void;
  /** Resolves when all lines taken so far are written or dropped: with a reader that never reads, never. */
  flush(): Promise<void>;
  /** Opens the file anew, after a rotation. Throws, and keeps the old file, when it cannot. */
  reopen(): void;
  /** Writes what is left, within `closeTimeoutMs`, drops and counts the rest. Lines that come later are dropped. */
  close(): Promise<void>;
}

/** The access log on a file, a FIFO or an open descriptor (1 for stdout). Throws when the path cannot be opened. */
export function createAccessLog(options: LogWriterOptions): AccessLog {
  const writer = createLogWriter(options);
  const timeText = createTimeText();
  return {
    log: (entry) => writer.write(accessLine(entry, timeText(entry.at))),
    flush: writer.flush,
    reopen: writer.reopen,
    close: writer.close,
  };
}
