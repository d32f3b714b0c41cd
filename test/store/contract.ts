import { callContract, channelContract } from "./contract-channel.ts";
import { compareContract, keyContract } from "./contract-keys.ts";
import { scriptContract } from "./contract-script.ts";
import type { StoreWorld, Within } from "./contract-world.ts";

/** What holds for every store. */
export function storeContract(name: string, make: () => Promise<StoreWorld>): void {
  const within: Within = async (run) => {
    await using world = await make();
    await run(world);
  };
  keyContract(name, within);
  compareContract(name, within);
  scriptContract(name, within);
  channelContract(name, within);
  callContract(name, within);
}
