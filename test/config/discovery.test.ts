import { describe, expect, test } from "bun:test";
import { showConfig } from "../../src/config/show.ts";
import { load } from "./folder.ts";

const SERVICES = `services:
  plain: {}
  written: { endpoints: [{ url: http://10.0.0.1 }] }
  memory: { discover: memory }
  redis: { discover: redis }
`;

async function discovery(torii: string, routes: string) {
  const { config } = await load({ "torii.yaml": torii, "routes/a.yaml": routes });
  return config.services.map(({ name, options: { discover, redis } }) => ({ name, discover, redis }));
}

describe("where a service's endpoints come from", () => {
  test("is Redis where it is configured, unless they are written down or it says otherwise", async () => {
    const redis = { url: "redis://r" };
    expect(await discovery("redis: redis://r\n", SERVICES)).toEqual([
      { name: "plain", discover: "redis", redis },
      { name: "written", discover: "static", redis: undefined },
      { name: "memory", discover: "memory", redis: undefined },
      { name: "redis", discover: "redis", redis },
    ]);
  });

  test("is the process itself without Redis", async () => {
    expect(await discovery('redis: ""\n', "services: { plain: {} }\n")).toMatchObject([{ discover: "memory" }]);
  });

  test("shows no password of Redis", async () => {
    const shown = showConfig(await load({ "torii.yaml": "redis: redis://ops:pw@host\n", "routes/a.yaml": SERVICES }));
    expect(shown).not.toContain("pw");
    const sentinels = '{ sentinels: ["s:1"], name: m, password: hidden }';
    const other = showConfig(await load({ "torii.yaml": `redis: ${sentinels}\n`, "routes/a.yaml": SERVICES }));
    expect(other).not.toMatch(/hidden/);
  });
});
