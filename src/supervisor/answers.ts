/** Questions to another process that wait for their answers. */
export interface Answers<Answer> {
  /** Sends a question by `ask`, which is given its id; null when no answer came in time, or none can come any more. */
  wait(timeoutMs: number, ask: (id: number) => void): Promise<Answer | null>;
  /** Gives the answer to a question; one that nobody waits for is dropped. */
  give(id: number, answer: Answer): void;
  /** No answer comes any more. */
  close(): void;
}

/** No question yet. Ids count from 1. */
export function createAnswers<Answer>(): Answers<Answer> {
  const waiting = new Map<number, (answer: Answer | null) => void>();
  let lastId = 0;
  let isClosed = false;

  function settle(id: number, answer: Answer | null): void {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  }

  return {
    wait(timeoutMs, ask) {
      if (isClosed) return Promise.resolve(null);
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<Answer | null>();
      waiting.set(id, resolve);
      ask(id);
      const timer = setTimeout(() => settle(id, null), timeoutMs);
      return promise.finally(() => clearTimeout(timer));
    },
    give: settle,
    close() {
      isClosed = true;
      for (const id of [...waiting.keys()]) settle(id, null);
    },
  };
}
