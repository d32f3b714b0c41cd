import type { Bench, Contestant } from "../fleet.ts";
import { get, runLoad } from "../load.ts";

const WARM_UP_SECONDS = 2;
const CONNECTIONS = 64;

/** Two seconds of bare GETs, so that a compiler's and an allocator's beginnings are not counted as growth. */
export async function warmUp(bench: Bench, contestant: Contestant): Promise<void> {
  const scriptFile = `${contestant.directory}/warm-up.lua`;
  const target = { port: contestant.port, durationSeconds: WARM_UP_SECONDS, core: bench.cores.load, scriptFile };
  await runLoad(bench.children, get("/", CONNECTIONS), target);
}
