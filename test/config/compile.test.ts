import { afterEach, describe, expect, test } from "bun:test";
import { z } from "zod";
import type { Catalog } from "../../src/config/catalog.ts";
import { compile } from "../../src/config/compile.ts";
import type { Snapshot } from "../../src/config/snapshot.ts";
import { SnapshotUse } from "../../src/config/snapshot-use.ts";
import { ConfigError } from "../../src/errors.ts";
import { createMemoryLimits } from "../../src/limit/plugin-limits.ts";
import { definePlugin } from "../../src/plugin.ts";
import { createStaticRegistry } from "../../src/registry/static.ts";
import { createServices, type Services } from "../../src/service/services.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { request } from "../route/support.ts";
import { load } from "./folder.ts";

const opened: Services[] = [];
afterEach(() => {
  for (const services of opened.splice(0)) services.close();
});

/** Takes any options, counts its makings, and refuses when told to. */
function recordingPlugin() {
  const made: string[] = [];
  const plugin = definePlugin({
    name: "recording",
    options: z.strictObject({ note: z.string(), refuse: z.boolean().optional() }),
    create: ({ note, refuse }, { route }) => {
      if (refuse) throw new Error(`${note} is not to my liking`);
      made.push(`${route}: ${note}`);
      return async (_context, next) => next();
    },
  });
  const catalog: Catalog = { get: (name) => (name === "recording" ? plugin : undefined), names: () => ["recording"] };
  return { made, catalog };
}

interface Compiled {
  readonly snapshot: Promise<Snapshot>;
  readonly services: Services;
  readonly made: readonly string[];
}

/** Compiles what `routes/main.yaml` holds, as JSON, and `torii.yaml`. */
async function compiled(routes: object, torii: object = {}, given?: Services): Promise<Compiled> {
  const { made, catalog } = recordingPlugin();
  const { config } = await load(
    { "routes/main.yaml": JSON.stringify(routes, null, 1), "torii.yaml": JSON.stringify(torii) },
    { openCatalog: async () => catalog },
  );
  const services =
    given ??
    createServices({
      wheel: new TimerWheel(),
      random: Math.random,
      onWarning() {},
      registryFor: (options, name) => createStaticRegistry({ [name]: options.endpoints }),
    });
  opened.push(services);
  const deps = {
    catalog,
    services,
    metrics: createMetrics({ version: "test" }),
    random: Math.random,
    wheel: new TimerWheel(),
    limits: { limits: createMemoryLimits(), ready: () => Promise.resolve(), release() {} },
  };
  return { snapshot: compile(config, "7", deps), services, made };
}

const at = (url: string) => ({ discover: "static", endpoints: [{ url }] });
const use = (note: string, refuse = false) => ({ use: "recording", with: { note, refuse } });
const names = (services: Services) => services.list().map(({ name }) => name);

const SHOP = {
  services: { a: at("http://127.0.0.1:1"), b: at("http://127.0.0.1:2") },
  routes: [
    { name: "items", matches: [{ path: "/items/*" }], backends: [{ service: "a" }] },
    { name: "all", backends: [{ service: "b" }] },
  ],
};

describe("a compiled configuration", () => {
  test("is frozen, has its version, and finds routes", async () => {
    const { snapshot } = await compiled(SHOP);
    const { index, version, rules, ...rest } = await snapshot;
    expect([version, rules.map(({ name }) => name)]).toEqual(["7", ["items", "all"]]);
    expect(index.find(request({ target: "/items/1" }))?.target.name).toBe("items");
    expect(index.find(request({ target: "/" }))?.target.name).toBe("all");
    expect([Object.isFrozen(await snapshot), Object.isFrozen(rules[0]), rest.config.routes.length]).toEqual([
      true,
      true,
      2,
    ]);
  });

  test("holds its services until it is retired and its last request has ended", async () => {
    const { snapshot, services } = await compiled(SHOP);
    const { use: users } = await snapshot;
    users.begin();
    users.begin();
    users.retire();
    expect(names(services)).toEqual(["a", "b"]);
    users.end();
    expect(names(services)).toEqual(["a", "b"]);
    users.end();
    expect(names(services)).toEqual([]);
  });

  test("holds subsets as long as itself, and shares them with the next configuration", async () => {
    const shop = {
      ...SHOP,
      routes: [
        {
          name: "v2",
          backends: [
            { service: "a", subset: { version: "2" } },
            { service: "a", weight: 0 },
          ],
        },
      ],
    };
    const first = await compiled(shop);
    const { use: users, rules } = await first.snapshot;
    const second = await (await compiled(shop, {}, first.services)).snapshot;
    const service = first.services.list().find(({ name }) => name === "a");
    const forward = () => {
      const probe = service?.subset({ version: "2", tags: [] });
      probe?.close();
      return probe?.forward;
    };
    const before = forward();
    expect([rules.length, typeof before]).toEqual([1, "function"]);
    users.retire();
    expect(forward()).toBe(before);
    second.use.retire();
    expect(forward()).not.toBe(before);
  });

  test("makes a plugin of the defaults for each route anew", async () => {
    const use = { use: "recording", with: { note: "x" } };
    const { snapshot, made } = await compiled(SHOP, { defaults: { plugins: [use] } });
    await snapshot;
    expect(made.toSorted()).toEqual(["all: x", "items: x"]);
  });

  test("waits until its services know their endpoints", async () => {
    const { snapshot, services } = await compiled(SHOP);
    await snapshot;
    expect(services.list().map(({ endpoints }) => endpoints.length)).toEqual([1, 1]);
  });

  test("takes over the services that did not change, and lets go of the others", async () => {
    const first = await compiled(SHOP);
    const before = await first.snapshot;
    const [kept, changed] = first.services.list();
    const second = await compiled(
      { ...SHOP, services: { ...SHOP.services, b: at("http://127.0.0.1:3") } },
      {},
      first.services,
    );
    await second.snapshot;
    before.use.retire();
    expect(names(first.services)).toEqual(["a", "b"]);
    const now = new Set<unknown>(first.services.list());
    expect([now.has(kept), now.has(changed)]).toEqual([true, false]);
  });
});

describe("a plugin", () => {
  test("is made once for each use, and told its route", async () => {
    const { snapshot, made } = await compiled({
      ...SHOP,
      routes: [
        {
          name: "one",
          plugins: [use("first"), use("second")],
          backends: [{ service: "a", plugins: [use("for a")] }, { service: "b" }],
        },
        { name: "two", matches: [{ path: "/two" }], plugins: [use("third")], backends: [{ service: "b" }] },
      ],
    });
    await snapshot;
    expect(made).toEqual(["one: first", "one: second", "one: for a", "two: third"]);
  });

  test("that refuses its options is a fault at its place; all refusals are told; nothing is held", async () => {
    const { snapshot, services } = await compiled({
      ...SHOP,
      routes: [
        { name: "one", plugins: [use("good"), use("tea", true)], backends: [{ service: "a" }] },
        { name: "two", matches: [{ path: "/two" }], backends: [{ service: "b", plugins: [use("milk", true)] }] },
      ],
    });
    const error = await snapshot.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ConfigError)) throw new Error(`no ConfigError: ${error}`);
    expect(error.issues).toMatchObject([
      {
        file: "routes/main.yaml",
        field: "routes[0].plugins[1]",
        message: "plugin recording refuses its options: tea is not to my liking",
      },
      { file: "routes/main.yaml", field: "routes[1].backends[0].plugins[0]", message: expect.stringContaining("milk") },
    ]);
    expect(error.issues.every(({ line }) => line !== null && line > 1)).toBe(true);
    expect(names(services)).toEqual([]);
  });

  test("that refuses takes nothing from the configuration before", async () => {
    const first = await compiled(SHOP);
    await first.snapshot;
    const before = first.services.list();
    const second = await compiled({ ...SHOP, routes: [{ name: "x", plugins: [use("x", true)] }] }, {}, first.services);
    expect(await second.snapshot.catch(() => "refused")).toBe("refused");
    expect(first.services.list()).toEqual(before);
  });
});

describe("listeners serve", () => {
  test("every host where they name none", async () => {
    const { snapshot } = await compiled(SHOP, { listeners: [{ name: "http", port: 0 }] });
    expect((await snapshot).serves("http", "any.test")).toBe(true);
  });

  test("the hosts that they name, and others serve all", async () => {
    const hostnames = ["shop.test", "*.shop.test"];
    const listeners = [
      { name: "bound", port: 0, hostnames },
      { name: "free", port: 0, address: "127.0.0.1" },
    ];
    const { serves } = await (await compiled(SHOP, { listeners })).snapshot;
    const asked = ["shop.test", "a.shop.test", "a.b.shop.test", "other.test", ""].map((host) => serves("bound", host));
    expect(asked).toEqual([true, true, true, false, false]);
    expect(serves("free", "other.test")).toBe(true);
  });
});

describe("the use of a snapshot", () => {
  function counted() {
    const state = { released: 0 };
    return { state, use: new SnapshotUse(() => void state.released++) };
  }

  test("is let go at once when it is retired without requests", () => {
    const { state, use: users } = counted();
    users.begin();
    users.end();
    expect(state.released).toBe(0);
    users.retire();
    expect(state.released).toBe(1);
  });

  test("is let go once, with the last of many requests", () => {
    const { state, use: users } = counted();
    for (let i = 0; i < 100; i++) users.begin();
    users.retire();
    for (let i = 0; i < 99; i++) users.end();
    expect(state.released).toBe(0);
    users.end();
    expect(state.released).toBe(1);
  });
});
