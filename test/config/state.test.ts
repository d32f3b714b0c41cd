import { describe, expect, test } from "bun:test";
import { basename, join } from "node:path";
import { showConfig } from "../../src/config/show.ts";
import { loadConfig } from "../../src/config/source.ts";
import { CERTS, inFolder, NOW_AT } from "./folder.ts";

function folderOf(torii: string, env: Readonly<Record<string, string>> = {}): Promise<string | null> {
  return inFolder({ "torii.yaml": torii }, async (cwd) => {
    const { stateFolder } = (await loadConfig({ path: null, env, cwd })).config;
    return stateFolder?.startsWith(cwd) ? join(".", stateFolder.slice(cwd.length)) : stateFolder;
  });
}

describe("the folder of what is kept", () => {
  test.each([
    ["stands beside torii.yaml by default", "{}", {}, ".torii"],
    ["is the one that systemd gives", "{}", { STATE_DIRECTORY: "/var/lib/torii" }, "/var/lib/torii"],
    ["is the first of several that systemd gives", "{}", { STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }, "/var/lib/a"],
    ["is the default where that is empty", "{}", { STATE_DIRECTORY: "" }, ".torii"],
    ["is the one that is written, whatever systemd gives", "state: kept", { STATE_DIRECTORY: "/var/lib/a" }, "kept"],
    ["may be absolute", "state: /srv/torii", {}, "/srv/torii"],
    ["is none where null is written", "state: null", { STATE_DIRECTORY: "/var/lib/a" }, null],
  ])("%s", async (_, torii, env, folder) => {
    expect(await folderOf(torii, env)).toBe(folder);
  });
});

test("what Redis is reached with is shown without its secrets", async () => {
  const torii = `redis:
  sentinels: [a:1]
  name: shop
  username: app
  password: hunter2-hunter2
  sentinelUsername: watcher
  sentinelPassword: hunter3-hunter3
  tls: { ca: certs/root.pem, cert: certs/client.pem, key: certs/client.key }
`;
  const shown = await inFolder({ "torii.yaml": torii, ...CERTS }, async (cwd) => {
    const loaded = await loadConfig({ path: null, env: {}, cwd, nowAt: NOW_AT });
    expect(basename(loaded.watched.find((path) => path.endsWith("client.key")) ?? "")).toBe("client.key");
    return showConfig(loaded);
  });
  expect(shown).toContain("username: app");
  expect(shown).toContain("sentinelUsername: watcher");
  expect(shown).not.toMatch(/hunter|-----BEGIN/);
});
