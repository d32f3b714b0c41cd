import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./load.ts";

const PROJECT = join(import.meta.dir, "../..");
const PACKAGE = join(PROJECT, "packages/mesh");

/** A folder of somebody's service that has `@torii/mesh`, built, among its packages. */
export interface ServiceFolder extends AsyncDisposable {
  readonly path: string;
}

/** Ends with the output of a command that failed. */
async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn([...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}:\n${output.join("")}`);
}

/** Checks types as a service's own project does. */
export function checkTypes(folder: ServiceFolder, file: string): Promise<void> {
  const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"];
  const types = ["--typeRoots", join(PROJECT, "node_modules/@types")];
  return run([join(PROJECT, "node_modules/.bin/tsc"), ...options, ...types, file], folder.path);
}

/** Builds the package by its own configuration, and installs it, and these files, into a folder. */
export async function serviceFolder(files: Readonly<Record<string, string>>): Promise<ServiceFolder> {
  const path = await mkdtemp(join(tmpdir(), "torii-service-"));
  const target = join(path, "node_modules/@torii/mesh");
  await mkdir(target, { recursive: true });
  await run([join(PROJECT, "node_modules/.bin/tsc"), "-p", ".", "--outDir", join(target, "dist")], PACKAGE);
  for (const part of ["package.json", "src"]) await cp(join(PACKAGE, part), join(target, part), { recursive: true });
  await symlink(join(PROJECT, "node_modules/ioredis"), join(path, "node_modules/ioredis"));
  await Bun.write(join(path, "package.json"), '{ "type": "module" }\n');
  for (const [name, text] of Object.entries(files)) await Bun.write(join(path, name), text);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The first code block in that language of a page of the project. */
export async function firstBlock(page: string, language: string): Promise<string> {
  const text = await Bun.file(join(PROJECT, page)).text();
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text)?.[1];
  if (block === undefined) throw new Error(`${page} has no block of ${language}`);
  return block;
}

/** A program in a service's folder, run by Node.js or by this Bun. */
export interface ServiceProcess extends AsyncDisposable {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly output: () => string;
  /** Waits until it has said this. */
  says(text: string): Promise<void>;
}

async function collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) add(decoder.decode(bytes, { stream: true }));
}

/** Starts it; killed when it is disposed of. */
export function startService(
  { path }: ServiceFolder,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): ServiceProcess {
  const child = Bun.spawn([...words], {
    cwd: path,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const add = (more: string): void => {
    text += more;
  };
  const reading = Promise.all([collect(child.stdout, add), collect(child.stderr, add)]);
  return {
    child,
    output: () => text,
    says: async (wanted) => {
      const isSaid = eventually(() => text.includes(wanted), `${words.join(" ")} to say ${wanted}`);
      await isSaid.catch((error) => Promise.reject(new Error(`${error}\n${text}`)));
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await reading;
    },
  };
}
