import { join } from "node:path";
import type { EndpointFault } from "./fault-endpoint.ts";
import { eventually } from "./load.ts";

const PROGRAM = join(import.meta.dir, "fault-endpoint.ts");

/** What may befall an endpoint: those of `fault-endpoint.ts`, and what befalls its whole process. */
export type Fault = Exclude<EndpointFault, "none"> | "killed" | "stalled";

/** An endpoint that is a process of its own, and falls ill when it is told. Ended when it is disposed of. */
export interface EndpointProcess extends AsyncDisposable {
  readonly id: string;
  readonly port: number;
  /** Resolves when it is so. */
  fail(fault: Fault): Promise<void>;
  /** The same port is well again when this resolves; a killed one is another process then. */
  heal(): Promise<void>;
}

interface Running {
  readonly child: Bun.Subprocess;
  /** The last that it said. */
  readonly heard: () => unknown;
}

async function run(port: number): Promise<Running> {
  let heard: unknown = null;
  const child = Bun.spawn([process.execPath, "--smol", PROGRAM, String(port)], {
    stdio: ["ignore", "ignore", "inherit"],
    serialization: "json",
    ipc: (message: unknown) => {
      heard = message;
    },
  });
  await eventually(() => heard !== null, "an endpoint to listen", 30_000);
  return { child, heard: () => heard };
}

async function tell({ child, heard }: Running, what: EndpointFault): Promise<void> {
  child.send(what);
  await eventually(() => heard() === what, `an endpoint to become ${what}`, 30_000);
}

/** A well endpoint at a port of its own. */
export async function startEndpoint(id: string): Promise<EndpointProcess> {
  let running = await run(0);
  const port = Number(running.heard());
  let fault: Fault | null = null;

  async function kill(): Promise<void> {
    running.child.kill("SIGKILL");
    await running.child.exited;
  }

  return {
    id,
    port,
    async fail(next) {
      fault = next;
      if (next === "killed") await kill();
      else if (next === "stalled") running.child.kill("SIGSTOP");
      else await tell(running, next);
    },
    async heal() {
      if (fault === "killed") running = await run(port);
      else if (fault === "stalled") running.child.kill("SIGCONT");
      else if (fault !== null) await tell(running, "none");
      fault = null;
    },
    [Symbol.asyncDispose]: kill,
  };
}
