import { join } from "node:path";
import { eventually } from "./load.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

/** A `torii` process under test. */
export interface ToriiProcess extends AsyncDisposable {
  readonly pid: number;
  /** Standard output and error so far. */
  readonly output: () => string;
  /** Standard output so far. */
  readonly stdout: () => string;
  /** Waits for output that matches; rejects with what there is when the process ends or the time is over. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  signal(name: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGUSR2" | "SIGKILL"): void;
  readonly exited: Promise<number>;
}

async function collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) add(decoder.decode(bytes, { stream: true }));
}

/** Starts `torii` with these arguments in a folder; killed when it is disposed of. */
export function startTorii(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): ToriiProcess {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const add = (more: string) => {
    text += more;
  };
  let stdout = "";
  const addStdout = (more: string) => {
    stdout += more;
    add(more);
  };
  const reading = Promise.all([collect(child.stdout, addStdout), collect(child.stderr, add)]);
  const exited = child.exited.then(async (code) => {
    await reading;
    return code;
  });
  return {
    pid: child.pid,
    output: () => text,
    stdout: () => stdout,
    async says(pattern, timeoutMs = 10_000) {
      await eventually(() => pattern.test(text) || child.exitCode !== null, `output like ${pattern}`, timeoutMs).catch(
        () => {},
      );
      const match = pattern.exec(text);
      if (match === null)
        throw new Error(`no ${pattern} in the output of torii ${args.join(" ")}:\n${text.slice(-3000)}`);
      return match;
    },
    signal: (name) => child.kill(name),
    exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
