import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { installPackages } from "./install.ts";
import { requireBun } from "./require-bun.ts";
import { fail, PROJECT, runStep } from "./step.ts";

/**
 * The executable reads package.json beside a plugin, so that plugins may import packages; it must not
 * read `.env` or `bunfig.toml` from whatever folder it was started in.
 */
const FLAGS = [
  "--compile",
  "--compile-autoload-package-json",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--sourcemap",
] as const;

/** Writes one executable with the runtime inside to `outfile`. */
async function build(outfile: string): Promise<void> {
  requireBun();
  // A fresh clone has none; whoever installed, perhaps less than everything, keeps what is there.
  if (!existsSync(join(PROJECT, "node_modules"))) await installPackages();
  await mkdir(join(PROJECT, "dist"), { recursive: true });
  const status = await runStep([process.execPath, "build", ...FLAGS, "src/main.ts", "--outfile", outfile], {
    isQuiet: true,
    env: { NODE_ENV: "production" },
  });
  if (status !== 0) fail("the executable could not be built, see above");
  console.log(outfile);
}

if (import.meta.main) await build(process.argv[2] ?? "dist/torii");
