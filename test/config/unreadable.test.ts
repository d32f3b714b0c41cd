import { describe, expect, test } from "bun:test";
import { mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { builtIns } from "../../plugins/index.ts";
import { isGatewayFile } from "../../src/config/file-kind.ts";
import { createCatalogs } from "../../src/config/plugin-files.ts";
import { loadConfig } from "../../src/config/source.ts";
import { watchConfig } from "../../src/config/watch.ts";
import { ConfigError } from "../../src/errors.ts";
import { request } from "../support/forward.ts";
import { eventually } from "../support/load.ts";
import { type GatewaySetup, startGateway } from "../support.ts";
import { type Files, inFolder, writeFiles } from "./folder.ts";

const ROUTES = {
  "routes/main.yaml": 'routes: [{ name: a, plugins: [{ use: respond, with: { status: "${CODE}" } }] }]\n',
};
const PLUGIN = `import { definePlugin, z } from "torii";
export default definePlugin({ name: "mine", options: z.strictObject({}), create: () => (c, next) => next() });
`;
const HANGS = "await new Promise(() => {});\n";
const HANGING_ROUTES = `${HANGS}export default { routes: [] };\n`;
const GOOD_ROUTES =
  'export default { routes: [{ name: "late", plugins: [{ use: "respond", with: { status: 204 } }] }] };\n';

async function makePipe(path: string): Promise<void> {
  await Bun.$`mkfifo ${path}`.quiet();
}

interface LoadBounds {
  readonly importTimeoutMs?: number;
}

function loadFrom(folder: string, { importTimeoutMs }: LoadBounds = {}) {
  const openCatalog = createCatalogs(builtIns, importTimeoutMs);
  const bound = importTimeoutMs === undefined ? {} : { importTimeoutMs };
  return loadConfig({ path: null, env: { CODE: "204" }, cwd: folder, openCatalog, ...bound });
}

async function faultsIn(folder: string, bounds?: LoadBounds): Promise<readonly string[]> {
  try {
    await loadFrom(folder, bounds);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, "").split("\n");
    throw error;
  }
}

/** The faults of a folder of these files, with what `make` puts at `path`. */
function faultsWith(path: string, files: Files, make: (full: string) => Promise<unknown>): Promise<readonly string[]> {
  return inFolder({ ...ROUTES, ...files }, async (folder) => {
    await mkdir(join(folder, "own"), { recursive: true });
    await make(join(folder, path));
    return await faultsIn(folder);
  });
}

const SECRET: Files = { "torii.yaml": 'listeners: [{ name: http, port: "${file:secret}" }]\n' };
const OWN: Files = { "torii.yaml": "plugins: own/\n" };
const RIGHT = "put a regular file there, or a link to one";

describe("what is no regular file is a fault, and nobody waits for it:", () => {
  test.each([
    ["torii.yaml", {}, `torii.yaml: is a named pipe; ${RIGHT}`],
    ["routes/x.yaml", {}, `routes/x.yaml: is a named pipe; ${RIGHT}`],
    ["routes/x.ts", {}, `routes/x.ts: is a named pipe; ${RIGHT}`],
    ["secret", SECRET, `torii.yaml:1:33 listeners[0].port: the secret file secret is a named pipe; ${RIGHT}`],
    ["own/x.ts", OWN, `own/x.ts: is a named pipe; ${RIGHT}`],
  ] as const)("a pipe as %s", async (path, files, fault) => {
    expect(await faultsWith(path, files, makePipe)).toEqual([fault]);
  });

  test.each([
    ["a folder", (full: string) => mkdir(full)],
    ["a named pipe", (full: string) => makePipe(`${full}.pipe`).then(() => symlink(`${full}.pipe`, full))],
    ["a device", (full: string) => symlink("/dev/zero", full)],
  ])("%s, also behind a link", async (kind, make) => {
    for (const path of ["routes/x.yaml", "own/x.js"]) {
      expect(await faultsWith(path, OWN, make)).toEqual([`${path}: is ${kind}; ${RIGHT}`]);
    }
  });

  test("a socket", async () => {
    const faults = await faultsWith("routes/x.yaml", {}, async (full) => {
      using _ = Bun.listen({ unix: `${full}.socket`, socket: { data() {} } });
      await symlink(`${full}.socket`, full);
      expect(await faultsIn(join(full, "../.."))).toEqual([`routes/x.yaml: is a socket; ${RIGHT}`]);
      await rm(full);
    });
    expect(faults).toEqual([]);
  });

  test("a pipe that is to be told from a gateway's file", async () => {
    await inFolder({}, async (folder) => {
      await makePipe(join(folder, "x.yaml"));
      expect(await isGatewayFile(join(folder, "x.yaml"))).toBe(false);
    });
  });
});

test("links to regular files are read, wherever a file may stand", async () => {
  const files = {
    ...SECRET,
    "real/x.yaml": "services: { linked: {} }\n",
    "real/secret": "8081\n",
    "real/mine.ts": PLUGIN,
  };
  await inFolder(
    { ...ROUTES, ...files, "real/torii.yaml": `plugins: own/\n${SECRET["torii.yaml"]}` },
    async (folder) => {
      await mkdir(join(folder, "own"));
      await rm(join(folder, "torii.yaml"));
      for (const [link, to] of [
        ["torii.yaml", "real/torii.yaml"],
        ["routes/x.yaml", "../real/x.yaml"],
        ["secret", "real/secret"],
        ["own/mine.ts", "../real/mine.ts"],
      ] as const) {
        await symlink(to, join(folder, link));
      }
      const { config, catalog } = await loadFrom(folder);
      expect(config.services.map(({ name }) => name)).toEqual(["linked"]);
      expect(config.listeners.map(({ port }) => port)).toEqual([8081]);
      expect(catalog?.names()).toContain("mine");
    },
  );
});

describe("a file of more than 16 MiB", () => {
  const LIMIT_BYTES = 16 * 1024 * 1024;
  const sized = (bytes: number) => async (full: string) => {
    await writeFile(full, "#\n");
    await truncate(full, bytes);
  };

  test.each([
    ["torii.yaml", {}],
    ["routes/x.yaml", {}],
    ["routes/x.ts", {}],
    ["own/x.ts", OWN],
  ] as const)("is a fault as %s", async (path, files) => {
    const fault = `${path}: is larger than 16 MiB; make it smaller, or split it into several files`;
    expect(await faultsWith(path, files, sized(LIMIT_BYTES + 1))).toEqual([fault]);
  });

  test("is a fault as a secret, and one byte less is not", async () => {
    const ofSize = async (bytes: number) => (await faultsWith("secret", SECRET, sized(bytes))).join("\n");
    expect(await ofSize(LIMIT_BYTES + 1)).toContain("the secret file secret is larger than 16 MiB");
    expect(await ofSize(LIMIT_BYTES)).not.toContain("16 MiB");
  });
});

describe("a module whose top level never ends", () => {
  const LATE =
    "cannot be loaded: its top level is not done after 0.05 s; at the top level await nothing that may never come";

  test("is a fault as a route file and as a plugin, beside those that are good", async () => {
    const files = { ...OWN, "routes/x.ts": HANGING_ROUTES, "own/x.ts": `${HANGS}${PLUGIN}` };
    await inFolder({ ...ROUTES, ...files }, async (folder) => {
      expect(await faultsIn(folder, { importTimeoutMs: 50 })).toEqual([`routes/x.ts: ${LATE}`, `own/x.ts: ${LATE}`]);
    });
  });

  test("is a fault as a package that a route names", async () => {
    const files = {
      ...OWN,
      "own/node_modules/slow/package.json": '{ "name": "slow", "main": "index.js", "type": "module" }',
      "own/node_modules/slow/index.js": `${HANGS}export default () => {};\n`,
      "routes/x.yaml": "routes:\n  - { name: b, plugins: [{ use: slow }] }\n",
    };
    await inFolder({ ...ROUTES, ...files }, async (folder) => {
      const [fault, ...more] = await faultsIn(folder, { importTimeoutMs: 50 });
      expect([fault, more]).toEqual([expect.stringMatching(/^routes\/x\.yaml:2:\d+ routes.*its top level is not/), []]);
    });
  });
});

describe("after a reload that found such a thing, a good edit is live:", () => {
  test.each([
    ["a route file", "routes/x.ts", HANGING_ROUTES, GOOD_ROUTES],
    ["a plugin", "own/x.ts", `${HANGS}${PLUGIN}`, PLUGIN],
  ] as const)("%s that hangs", async (_, path, bad, good) => {
    await inFolder({ ...ROUTES, ...OWN, "own/other.ts": PLUGIN.replace("mine", "other") }, async (folder) => {
      const ends = new AbortController();
      const results: string[] = [];
      // Only what never ends is given little time.
      let bounds: LoadBounds = { importTimeoutMs: 50 };
      const { watched } = await loadFrom(folder);
      await watchConfig({
        paths: watched,
        debounceMs: 5,
        signal: ends.signal,
        onChange: async () => void results.push((await faultsIn(folder, bounds))[0] ?? "live"),
      });
      await writeFiles(folder, { [path]: bad });
      await eventually(() => results.at(-1)?.startsWith(`${path}: cannot be loaded`) === true, "the fault");
      bounds = {};
      await writeFiles(folder, { [path]: good });
      await eventually(() => results.at(-1) === "live", "the good edit");
      ends.abort();
    });
  });

  const answering = (status: number) =>
    `routes: [{ name: a, plugins: [{ use: respond, with: { status: ${status} } }] }]\n`;
  const setup = (files: Files = {}): GatewaySetup => ({
    torii: `{ "plugins": "own/", "listeners": [{ "name": "http", "address": "127.0.0.1", "port": 0 }], "status": { "address": "127.0.0.1", "port": 0 }, "telemetry": { "accessLog": { "enabled": false } }, "shutdown": { "delay": "0s", "timeout": "\${file:secret}" } }`,
    files: { "routes/main.yaml": answering(201), "own/other.ts": PLUGIN, secret: "1s\n", ...files },
  });

  test.each(["routes/x.yaml", "own/x.ts", "secret", "torii.yaml"])("a pipe as %s", async (path) => {
    await using gateway = await startGateway(setup());
    const full = join(gateway.folder, path);
    const before = await Bun.file(full)
      .bytes()
      .catch(() => null);
    await rm(full, { force: true });
    await makePipe(full);
    const isTold = () => gateway.log.some((line) => String(line["message"]).includes("is a named pipe"));
    await eventually(isTold, "the fault");
    await rm(full);
    if (before !== null) await writeFile(full, before);
    await gateway.write("routes/main.yaml", answering(202));
    const status = async () => (await gateway.exchange(request("GET /"))).status;
    await eventually(async () => (await status()) === 202, "the good edit");
  });
});
