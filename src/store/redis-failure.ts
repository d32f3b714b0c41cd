import { StoreError } from "./store-error.ts";

/** What Redis says when it cannot serve now, though the call was right. */
const NOT_NOW = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|MISCONF|NOREPLICAS|BUSY|OOM)\b/;
/** What ioredis says of a call that it did not send. */
const NOT_SENT = /^(?:Stream isn't writeable|Cluster isn't ready)/;

/** What it says of calls whose connection ended before the answer. */
const LOST = /^(?:Reached the max retries per request limit|Connection is closed)/;

/** Says whether an answer means that a script is not loaded where it was asked for. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** What ioredis rejected with, as the store's own error. */
export function storeFailure(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "ReplyError") {
    const code = NOT_NOW.test(message) ? "unavailable" : "refused";
    return new StoreError(code, `Redis answered: ${message}`, { cause: error });
  }
  const options = { cause: error, mayHaveRun: !NOT_SENT.test(message) };
  const reason = LOST.test(message) ? "the connection ended before the answer" : message;
  return new StoreError("unavailable", `Redis was lost: ${reason}`, options);
}
