import { readdirSync } from "node:fs";

/** Runs every `micro-*.ts` beside this file in turn, each in a process of its own; returns the exit code. */
async function main(wanted: readonly string[]): Promise<number> {
  const files = readdirSync(import.meta.dir).filter((file) => isWanted(file, wanted));
  const failed: string[] = [];
  for (const file of files.sort()) {
    console.log(`\n${file}`);
    if ((await runFile(file)) !== 0) failed.push(file);
  }
  if (files.length === 0) console.error("no such micro-benchmark");
  if (failed.length > 0) console.error(`\n!! failed: ${failed.join(", ")}`);
  return files.length === 0 || failed.length > 0 ? 1 : 0;
}

/** All when none is named; `parse` names `micro-parse.ts`. */
function isWanted(file: string, wanted: readonly string[]): boolean {
  const name = /^micro-(.+)\.ts$/.exec(file)?.[1];
  return name !== undefined && (wanted.length === 0 || wanted.includes(name));
}

/** What one leaves behind on the heap or in the compiler must not change the next. */
async function runFile(file: string): Promise<number> {
  const command = [process.execPath, `${import.meta.dir}/${file}`];
  return await Bun.spawn(command, { stdin: "ignore", stdout: "inherit", stderr: "inherit" }).exited;
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
