import manifest from "../package.json" with { type: "json" };
import { fail } from "./step.ts";

/** Ends the process with one line when another version of Bun runs than the one that package.json pins. */
export function requireBun(version: string = Bun.version): void {
  const wanted = manifest.engines.bun;
  if (version !== wanted) fail(`this needs Bun ${wanted}, not ${version}; try: npx --yes bun@${wanted} start`);
}
