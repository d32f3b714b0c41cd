import type { ConfigIssue } from "../errors.ts";
import { type Answers, createAnswers } from "./answers.ts";
import type { FromWorker } from "./message.ts";

/** Whether something was done, or why it was not: by faults of the configuration, or in words where there are none. */
export type Result =
  | { readonly isDone: true; readonly version: string }
  | { readonly isDone: false; readonly issues: readonly ConfigIssue[]; readonly message: string };

/** A failure, with the faults of the configuration if that was it. */
export function failure(message: string, issues: readonly ConfigIssue[] = []): Result {
  return { isDone: false, issues, message };
}

/** What a worker says, sorted by who waits for it. */
export interface Inbox {
  take(message: FromWorker): void;
  readonly started: Promise<Result>;
  readonly reloads: Answers<Result>;
  readonly metrics: Answers<string>;
  /** To questions of the admin API. */
  readonly answers: Answers<string>;
  /** The last that came whole, or null. */
  readonly lastMetrics: string | null;
  /** As it last said. */
  readonly isOverloaded: boolean;
  /** Nothing comes any more; who waits for the start learns why. */
  close(why: string): void;
}

/** Pieces of texts that come one after the other. */
function createPieces() {
  const pieces = new Map<number, string[]>();
  return {
    add(id: number, text: string): void {
      const known = pieces.get(id);
      if (known === undefined) pieces.set(id, [text]);
      else known.push(text);
    },
    take(id: number): string {
      const text = (pieces.get(id) ?? []).join("");
      pieces.delete(id);
      return text;
    },
  };
}

/** An inbox for one worker. `onLastWord` is called for the message after which there is no other. */
export function createInbox(onLastWord: () => void): Inbox {
  const start = Promise.withResolvers<Result>();
  const reloads = createAnswers<Result>();
  const metrics = createAnswers<string>();
  const answers = createAnswers<string>();
  const pieces = createPieces();
  const answerPieces = createPieces();
  let lastMetrics: string | null = null;
  let isOverloaded = false;

  function takeMetrics(id: number): void {
    lastMetrics = pieces.take(id);
    metrics.give(id, lastMetrics);
  }

  function take(message: FromWorker): void {
    if (message.type === "metrics_part") pieces.add(message.id, message.text);
    else if (message.type === "metrics_end") takeMetrics(message.id);
    else if (message.type === "answer_part") answerPieces.add(message.id, message.text);
    else if (message.type === "answer_end") answers.give(message.id, answerPieces.take(message.id));
    else if (message.type === "ready") start.resolve({ isDone: true, version: message.version });
    else if (message.type === "reloaded") reloads.give(message.id, { isDone: true, version: message.version });
    else if (message.type === "refused") reloads.give(message.id, failure(message.message, message.issues));
    else if (message.type === "pong") isOverloaded = message.isOverloaded;
    else {
      if (message.type === "fatal") start.resolve(failure(message.message, message.issues));
      onLastWord();
    }
  }

  return {
    take,
    started: start.promise,
    reloads,
    metrics,
    answers,
    get lastMetrics() {
      return lastMetrics;
    },
    get isOverloaded() {
      return isOverloaded;
    },
    close(why) {
      start.resolve(failure(why));
      reloads.close();
      metrics.close();
      answers.close();
    },
  };
}
