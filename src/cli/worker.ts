import { openWorkerChannel } from "../supervisor/worker-channel.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { createLog } from "./log.ts";

/** What `torii run` starts several of; not for people. */
export const worker: Command = {
  name: "worker",
  usage: "torii run",
  summary: "is started by `torii run` when the configuration asks for more than one worker",
  async run(_args, context) {
    const channel = openWorkerChannel();
    if (channel === null) throw new UsageError("workers are started by `torii run`, see `workers` in torii.yaml");
    const { runWorker } = await import("../supervisor/worker.ts");
    const logFor = (slot: number) => createLog(process.stderr.isTTY).child({ worker: slot });
    return (await runWorker(channel, { ...context, logFor })) ? EXIT.done : EXIT.failed;
  },
};
