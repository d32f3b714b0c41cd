import { fail, runStep } from "./step.ts";

/** A program that tests start, and the Debian package that brings it. */
export interface Prerequisite {
  readonly program: string;
  readonly debianPackage: string;
}

const PREREQUISITES: readonly Prerequisite[] = [
  { program: "redis-server", debianPackage: "redis-server" },
  { program: "node", debianPackage: "nodejs" },
  { program: "openssl", debianPackage: "openssl" },
  { program: "curl", debianPackage: "curl" },
  { program: "nghttp", debianPackage: "nghttp2-client" },
  { program: "h2load", debianPackage: "nghttp2-client" },
  { program: "chromium", debianPackage: "chromium" },
];

/** The words before `apt-get` that make it allowed, or null when this user may not install. */
async function installer(): Promise<readonly string[] | null> {
  if (Bun.which("apt-get") === null) return null;
  if (process.getuid?.() === 0) return [];
  const hasSudo = Bun.which("sudo") !== null && (await runStep(["sudo", "-n", "true"], { isQuiet: true })) === 0;
  return hasSudo ? ["sudo", "-n"] : null;
}

async function install(packages: readonly string[]): Promise<number> {
  const prefix = await installer();
  if (prefix === null) return fail(`tests need ${packages.join(", ")}; install it and run the tests again`);
  console.log(`installing ${packages.join(", ")} from Debian's packages`);
  const aptGet = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-qq"];
  const words = [...aptGet, "install", "--no-install-recommends", ...packages];
  // Package lists may be absent or stale, as in a slim container: the first refusal asks for fresh ones.
  if ((await runStep(words, { isQuiet: true })) === 0) return 0;
  await runStep([...aptGet, "update"], { isQuiet: true });
  return runStep(words, { isQuiet: true });
}

/** Installs what is not on PATH; nothing to do when all is. Ends the process with one line if it may not. */
export async function bring(prerequisites: readonly Prerequisite[]): Promise<void> {
  const missing = prerequisites.filter(({ program }) => Bun.which(program) === null);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  if ((await install(packages)) !== 0)
    fail(`could not install ${packages.join(", ")}, see above; install it and run the tests again`);
}

/** Brings the programs that tests start, as `bring` does. */
export function installPrerequisites(): Promise<void> {
  return bring(PREREQUISITES);
}
