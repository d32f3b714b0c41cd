import { afterAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execWords, lastOf, parseDockerfile } from "./dockerfile.ts";
import { runStage } from "./stage-runner.ts";

const folder = await mkdtemp(join(tmpdir(), "torii-stages-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const SAMPLE = `# a comment
FROM first AS build
WORKDIR /build
COPY a.txt b.txt ./
COPY parts parts
RUN cat a.txt \\
  b.txt > both.txt
FROM second
COPY --from=build /build/both.txt /etc/both.txt
USER 7:7
CMD ["run", "--demo"]
`;

describe("the reader of the Dockerfile", () => {
  test("sees stages, names and joined lines", () => {
    const stages = parseDockerfile(SAMPLE);
    expect(stages.map(({ base, name }) => `${base} ${name}`)).toEqual(["first build", "second 1"]);
    expect(stages[0]?.instructions.at(-1)).toEqual({ word: "RUN", rest: "cat a.txt    b.txt > both.txt" });
  });

  test("says what is missing", () => {
    const [stage] = parseDockerfile("FROM x\nUSER 1");
    expect(() => stage && lastOf(stage, "CMD")).toThrow("the Dockerfile has no CMD");
    expect(() => parseDockerfile("RUN x")).toThrow("RUN stands before the first FROM");
  });

  test("refuses the shell form where words are asked for", () => {
    expect(execWords('["run", "--demo"]')).toEqual(["run", "--demo"]);
    expect(() => execWords("run --demo")).toThrow();
  });
});

describe("the runner of stages", () => {
  test("copies, runs and hands files from one stage to the next", async () => {
    const context = join(folder, "context");
    await mkdir(join(context, "parts"), { recursive: true });
    await Bun.write(join(context, "a.txt"), "a");
    await Bun.write(join(context, "b.txt"), "b");
    await Bun.write(join(context, "parts/c.txt"), "c");
    const run = { context, folder: join(folder, "image") };
    for (const stage of parseDockerfile(SAMPLE)) await runStage(run, stage);
    expect(await Bun.file(join(run.folder, "1/etc/both.txt")).text()).toBe("ab");
    expect(await Bun.file(join(run.folder, "build/build/parts/c.txt")).text()).toBe("c");
  });

  test("throws with the output of a step that fails", async () => {
    const stages = parseDockerfile("FROM x AS failing\nRUN echo why; exit 3");
    const run = { context: folder, folder: join(folder, "failing") };
    const failed = Promise.all(stages.map((stage) => runStage(run, stage)));
    expect(failed).rejects.toThrow("why");
    await failed.catch(() => undefined);
  });
});
