import { requireBun } from "./require-bun.ts";
import { fail, runStep } from "./step.ts";

/** Installs the packages that bun.lock names; silent and quick when they are there. Ends the process when it fails. */
export async function installPackages(): Promise<void> {
  const status = await runStep([process.execPath, "install", "--frozen-lockfile"], { isQuiet: true });
  if (status !== 0) fail("the packages could not be installed, see above; is there a way to the package registry?");
}

if (import.meta.main) {
  requireBun();
  await installPackages();
}
