export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** All of standard input; empty unless given. */
  readonly input?: string | Uint8Array;
  /** Ends the program when it runs longer; 15 s unless given. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end while this process goes on serving it. Rejects when it cannot be started. */
export async function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const { input = "", timeoutMs = 15_000 } = options;
  await using child = Bun.spawn([...command], {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}
