import { cp, mkdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Instruction, Stage } from "./dockerfile.ts";

export interface StageRun {
  /** Folder that COPY without --from reads. */
  readonly context: string;
  /** Empty folder that holds one folder a stage; each stands for that stage's `/`. */
  readonly folder: string;
}

/** Where a stage's `/` is. */
export function rootOf(run: StageRun, stage: Pick<Stage, "name">): string {
  return join(run.folder, stage.name);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}

/** COPY as the builder does it: a folder's content, or files under their own names where the target ends in `/`. */
async function copy(run: StageRun, instruction: Instruction, root: string, cwd: string): Promise<void> {
  const words = instruction.rest.split(/\s+/);
  const from = words.find((word) => word.startsWith("--from="))?.slice("--from=".length);
  const paths = words.filter((word) => !word.startsWith("--"));
  const target = paths.pop() ?? "";
  const base = from === undefined ? run.context : join(run.folder, from);
  const destination = target.startsWith("/") ? join(root, target) : join(cwd, target);
  for (const path of paths) {
    const source = join(base, path);
    const isInto = target.endsWith("/") && !(await isFolder(source));
    const place = isInto ? join(destination, basename(path)) : destination;
    await mkdir(dirname(place), { recursive: true });
    await cp(source, place, { recursive: true });
  }
}

async function execute(command: string, cwd: string): Promise<void> {
  const path = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  const child = Bun.spawn(["sh", "-ec", command], {
    cwd,
    env: { PATH: path, HOME: process.env["HOME"] ?? "/tmp" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`RUN ${command} failed:\n${output.join("")}`);
}

/**
 * Does a stage's WORKDIR, COPY and RUN in a folder of its own, with this Bun on PATH in place of the base image.
 * There is no chroot: a RUN step must use relative paths. Throws with the output of a step that failed.
 */
export async function runStage(run: StageRun, stage: Stage): Promise<void> {
  const root = rootOf(run, stage);
  let cwd = root;
  await mkdir(root, { recursive: true });
  for (const instruction of stage.instructions) {
    if (instruction.word === "WORKDIR") {
      cwd = join(root, instruction.rest);
      await mkdir(cwd, { recursive: true });
    }
    if (instruction.word === "COPY") await copy(run, instruction, root, cwd);
    if (instruction.word === "RUN") await execute(instruction.rest, cwd);
  }
}
