/** How long the top level of a module may take unless told otherwise. */
export const IMPORT_TIMEOUT_MS = 10_000;

/**
 * Imports a module. Rejects with what it throws, or with an error that says why when its top level has not ended
 * within `timeoutMs`; nothing can end such a module, so it stays in memory.
 */
export async function importWithin(specifier: string, timeoutMs: number): Promise<unknown> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooLong(timeoutMs)), timeoutMs);
  try {
    return await Promise.race([import(specifier), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLong(timeoutMs: number): Error {
  return new Error(
    `its top level is not done after ${timeoutMs / 1000} s; at the top level await nothing that may never come`,
  );
}
