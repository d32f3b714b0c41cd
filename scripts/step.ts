import { join } from "node:path";

/** The project's folder: every script works from there, wherever it was called. */
export const PROJECT = join(import.meta.dir, "..");

/** Ends the process with one line on stderr; status 1. */
export function fail(line: string): never {
  console.error(`torii: ${line}`);
  process.exit(1);
}

export interface StepOptions {
  /** Shows the command's output only when it fails. */
  readonly isQuiet?: boolean;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the command when it runs longer; 0 for no bound. */
  readonly timeoutMs?: number;
}

/** Runs a command in the project's folder; yields its exit status, 1 when a signal ended it. No shell, no stdin. */
export async function runStep(command: readonly string[], options: StepOptions = {}): Promise<number> {
  const output = options.isQuiet === true ? "pipe" : "inherit";
  const child = Bun.spawn([...command], {
    cwd: PROJECT,
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: output,
    stderr: output,
    ...(options.timeoutMs ? { timeout: options.timeoutMs } : {}),
  });
  const kept = [child.stdout, child.stderr].map((stream) => (stream ? new Response(stream).text() : ""));
  const status = await child.exited;
  if (status !== 0) process.stderr.write((await Promise.all(kept)).join(""));
  return child.signalCode === null ? status : 1;
}

/** A program of this project's packages, such as `tsc`. */
export function packageProgram(name: string): string {
  return join(PROJECT, "node_modules", ".bin", name);
}
