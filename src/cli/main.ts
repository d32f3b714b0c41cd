import { type Command, type CommandContext, EXIT, runCommand } from "./command.ts";
import { explain } from "./explain.ts";
import { healthcheck } from "./healthcheck.ts";
import { routes } from "./routes.ts";
import { run } from "./run.ts";
import { service } from "./service.ts";
import { services } from "./services.ts";
import { status } from "./status.ts";
import { table } from "./table.ts";
import { validate } from "./validate.ts";
import { version } from "./version.ts";
import { worker } from "./worker.ts";

const health: Command = {
  name: "healthcheck",
  usage: "torii healthcheck [--config torii.yaml]",
  summary: "asks the gateway on this machine whether it is ready; for containers",
  run: (args, context) => healthcheck(args, context.env),
};

const COMMANDS: readonly Command[] = [run, validate, explain, status, routes, services, service, health, version];

/** Not for people, and not in the list. */
const HIDDEN: readonly Command[] = [worker];

const LATER = ["diff", "apply", "rollback", "agent", "drain"];

/** Runs the command that the arguments name; resolves with the exit code. */
export async function main(args: readonly string[], context: CommandContext): Promise<number> {
  const [name = "help", ...rest] = args;
  const asked = COMMANDS.find((one) => one.name === rest[0]);
  if (name === "help" && asked !== undefined) return await main([asked.name, "--help"], context);
  if (name === "help" || name === "--help" || name === "-h") {
    if (args.length > 0) context.out(help());
    else context.err(help());
    return args.length > 0 ? EXIT.done : EXIT.misuse;
  }
  const wanted = name === "--version" ? "version" : name;
  const command = [...COMMANDS, ...HIDDEN].find((one) => one.name === wanted);
  if (command === undefined) {
    const why = LATER.includes(name) ? "is not built yet" : "is no command";
    context.err(`torii: ${name} ${why}\n\n${help()}`);
    return EXIT.misuse;
  }
  if (rest.includes("--help")) {
    context.out(`usage: ${command.usage}\n\n${command.summary}`);
    return EXIT.done;
  }
  return await runCommand(command, rest, context);
}

function help(): string {
  return `usage: torii COMMAND\n\n${table(
    ["COMMAND", "DOES"],
    COMMANDS.map(({ usage, summary }) => [usage.replace(/^torii |\n.*/gs, ""), summary]),
  )}`;
}
