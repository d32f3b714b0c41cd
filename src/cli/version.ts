import { type Command, EXIT } from "./command.ts";

export const version: Command = {
  name: "version",
  usage: "torii version",
  summary: "prints versions",
  async run(_args, context) {
    context.out(`torii ${context.version} (bun ${Bun.version}, ${process.platform} ${process.arch})`);
    return EXIT.done;
  },
};
