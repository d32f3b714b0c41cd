import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execWords, lastOf, parseDockerfile, type Stage } from "./dockerfile.ts";
import { rootOf, runStage } from "./stage-runner.ts";

const PROJECT = join(import.meta.dir, "../..");
const IS_ROOT = process.getuid?.() === 0;

const stages = parseDockerfile(await Bun.file(join(PROJECT, "Dockerfile")).text());
const final: Stage = stages.at(-1) ?? { base: "", name: "", instructions: [] };
const run = { context: PROJECT, folder: await mkdtemp(join(tmpdir(), "torii-image-")) };
const config = join(run.folder, "config");

/** Ports that were free a moment ago. */
function freePorts(count: number): readonly number[] {
  const servers = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const ports = servers.map((server) => server.port);
  for (const server of servers) server.stop(true);
  return ports;
}

const [port = 0, statusPort = 0] = freePorts(2);

/** The executable as the image's own user, in a folder that this user cannot write. */
function start(words: readonly string[]): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const [user = ""] = lastOf(final, "USER").split(":");
  const prefix = IS_ROOT ? ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"] : [];
  return Bun.spawn([...prefix, ...words], {
    cwd: config,
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Where the image's own program stands in the folder that stands for the image. */
function program(words: readonly string[]): readonly string[] {
  const [path = "", ...rest] = words;
  return [join(rootOf(run, final), path), ...rest];
}

const entrypoint = (): readonly string[] => program(execWords(lastOf(final, "ENTRYPOINT")));

async function writeConfig(): Promise<void> {
  await mkdir(join(config, "routes"), { recursive: true });
  await Bun.write(
    join(config, "torii.yaml"),
    `listeners: [{ name: http, address: 127.0.0.1, port: ${port} }]
status: { address: 127.0.0.1, port: ${statusPort} }
shutdown: { delay: 0s, timeout: 5s }
`,
  );
  await Bun.write(
    join(config, "routes/hello.yaml"),
    `routes:
  - name: hello
    matches: [{ path: /hello }]
    plugins: [{ use: respond, with: { status: 200, body: "from the image" } }]
`,
  );
  for (const folder of [run.folder, join(config, "routes"), config]) await chmod(folder, 0o555);
}

async function isReady(child: Bun.Subprocess): Promise<boolean> {
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${statusPort}/readyz`).catch(() => null);
    if (answer?.status === 200) return true;
    await Bun.sleep(50);
  }
  return false;
}

beforeAll(async () => {
  for (const stage of stages) await runStage(run, stage);
  await writeConfig();
}, 180_000);

afterAll(async () => {
  for (const folder of [run.folder, config, join(config, "routes")]) await chmod(folder, 0o755).catch(() => undefined);
  await rm(run.folder, { recursive: true, force: true });
});

describe("the image", () => {
  test("runs as a user that is not root, given as a number", () => {
    expect(Number(lastOf(final, "USER").split(":")[0])).toBeGreaterThan(0);
  });

  test("exposes the ports that torii.yaml gives by default", () => {
    expect(lastOf(final, "EXPOSE").split(" ")).toEqual(["8080", "9902"]);
  });

  test("keeps its state in a volume that its user owns", () => {
    const owner = lastOf(final, "USER");
    const copies = final.instructions.filter(({ word }) => word === "COPY").map(({ rest }) => rest);
    expect(final.instructions.filter(({ word }) => word === "ENV").map(({ rest }) => rest)).toContain(
      `STATE_DIRECTORY=${lastOf(final, "VOLUME")}`,
    );
    expect(copies.find((rest) => rest.endsWith(` ${lastOf(final, "VOLUME")}`))).toContain(`--chown=${owner} `);
  });

  test("builds with the Bun that package.json pins", async () => {
    const { engines } = await Bun.file(join(PROJECT, "package.json")).json();
    expect(stages[0]?.base).toBe(`oven/bun:${engines.bun}-slim`);
  });

  test("holds a configuration that its own command accepts", async () => {
    const [, , file = ""] = execWords(lastOf(final, "CMD"));
    const child = start([...entrypoint(), "validate", "--config", join(rootOf(run, final), file)]);
    const output = await new Response(child.stdout).text();
    expect([await child.exited, output]).toEqual([0, expect.stringContaining("valid: ")]);
  });

  test("serves, passes its health check and drains on SIGTERM, without writing anything", async () => {
    const child = start([...entrypoint(), "run", "--config", join(config, "torii.yaml")]);
    try {
      const ready = await isReady(child);
      expect([ready, ready ? "" : await new Response(child.stderr).text()]).toEqual([true, ""]);
      const answer = await fetch(`http://127.0.0.1:${port}/hello`);
      expect([answer.status, await answer.text()]).toEqual([200, "from the image"]);
      const check = execWords(lastOf(final, "HEALTHCHECK").replace(/^.*?\bCMD\s+/, ""));
      expect(await start(program(check)).exited).toBe(0);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
      expect(await start(program(check)).exited).toBe(1);
    } finally {
      child.kill("SIGKILL");
    }
  }, 30_000);
});
