import type { OpenCatalog } from "../config/catalog.ts";
import { suggestion } from "../config/near.ts";
import { ConfigError, formatIssue } from "../errors.ts";

/** What a command may use of the process. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly openCatalog: OpenCatalog;
  /** Whole lines for standard output and standard error. */
  out(text: string): void;
  err(text: string): void;
}

/** Exit codes of the command line. */
export const EXIT = { done: 0, failed: 1, misuse: 2 } as const;

/** The command line was not understood; the message says what would be. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Command {
  readonly name: string;
  /** Its first line is shown by `torii help`. */
  readonly usage: string;
  readonly summary: string;
  /** Resolves with the exit code. Throws a UsageError, a TypeError of `parseArgs`, or a ConfigError. */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}

/** Runs a command and turns what it throws into an exit code and a message. */
export async function runCommand(command: Command, args: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await command.run(args, context);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const issue of error.issues) context.err(formatIssue(issue));
      return EXIT.failed;
    }
    if (error instanceof UsageError || isArgumentError(error)) {
      context.err(`torii ${command.name}: ${misuseText(error, command)}\nusage: ${command.usage}`);
      return EXIT.misuse;
    }
    context.err(`torii ${command.name}: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT.failed;
  }
}

/** What `parseArgs` says of an option that it does not know is for programmers. */
function misuseText({ message }: Error, { usage }: Command): string {
  const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const known = [...new Set(usage.match(/--[a-z][a-z-]*/g))];
  const begun = known.filter((name) => unknown.length > 2 && name.startsWith(unknown));
  const [only] = begun;
  const help = begun.length === 1 ? `; did you mean "${only}"?` : suggestion(unknown, known);
  return `${unknown} is no option${help}`;
}

function isArgumentError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
