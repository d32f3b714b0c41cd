import { describe, expect, test } from "bun:test";
import type { EndpointSpec, Registry } from "../../src/registry/registry.ts";

/** A registry under test, and the way in which its world is changed; null where it never changes. */
export interface RegistryWorld {
  readonly registry: Registry;
  readonly change: ((service: string, endpoints: readonly EndpointSpec[]) => Promise<void> | void) | null;
  /** What is left of an endpoint in a registry that cannot tell everything; all of it unless given. */
  readonly tells?: (endpoint: EndpointSpec) => EndpointSpec;
  close(): Promise<void> | void;
}

/** An endpoint of that id, for tests. */
export function spec(id: string, changes: Partial<EndpointSpec> = {}): EndpointSpec {
  return { id, url: `http://127.0.0.1:${9000 + id.length}`, weight: 1, ...changes };
}

const WHOLE_SET = [spec("a", { zone: "z", tags: ["t"] }), spec("bb", { weight: 0 })];

export function idsOf(endpoints: readonly EndpointSpec[] | undefined): string[] {
  return (endpoints ?? []).map(({ id }) => id).toSorted();
}

/** One follower of a service, read by hand. */
export function follow(registry: Registry, service: string) {
  const abort = new AbortController();
  const values = registry.watch(service, abort.signal)[Symbol.asyncIterator]();
  return {
    next: async () => idsOf((await values.next()).value),
    raw: () => values.next(),
    end: () => abort.abort(),
  };
}

/** What holds for every registry. `make` gives a world where `catalog` has exactly the endpoints given. */
export function registryContract(
  name: string,
  make: (catalog: readonly EndpointSpec[]) => Promise<RegistryWorld> | RegistryWorld,
): void {
  async function within(catalog: readonly EndpointSpec[], run: (world: RegistryWorld) => Promise<void>): Promise<void> {
    const world = await make(catalog);
    try {
      await run(world);
    } finally {
      await world.close();
    }
  }

  describe(`${name} as a registry`, () => {
    test("gives the whole current set at once", () =>
      within(WHOLE_SET, async ({ registry, tells = (endpoint) => endpoint }) => {
        const watch = follow(registry, "catalog");
        const { value } = await watch.raw();
        expect(value).toEqual(WHOLE_SET.map(tells));
        watch.end();
      }));

    test("gives the empty set at once for a service that nobody knows", () =>
      within([spec("a")], async ({ registry }) => {
        const watch = follow(registry, "nobody");
        expect(await watch.next()).toEqual([]);
        watch.end();
      }));

    test("ends without an error when the signal aborts, while waiting and before", () =>
      within([spec("a")], async ({ registry }) => {
        const watch = follow(registry, "catalog");
        await watch.next();
        const waiting = watch.raw();
        watch.end();
        expect((await waiting).done).toBe(true);
        const seen: unknown[] = [];
        for await (const set of registry.watch("catalog", AbortSignal.abort())) seen.push(set);
        expect(seen).toEqual([]);
      }));

    test("serves several followers of one service, each in full", () =>
      within([spec("a")], async ({ registry }) => {
        const watches = [follow(registry, "catalog"), follow(registry, "catalog")];
        expect(await Promise.all(watches.map((watch) => watch.next()))).toEqual([["a"], ["a"]]);
        for (const watch of watches) watch.end();
      }));

    test("gives sets that nobody can change", () =>
      within([spec("a")], async ({ registry }) => {
        const watch = follow(registry, "catalog");
        expect(Object.isFrozen((await watch.raw()).value)).toBe(true);
        watch.end();
      }));
  });
}

/** What holds for registries that change, besides. */
export function changingRegistryContract(name: string, make: () => Promise<RegistryWorld> | RegistryWorld): void {
  async function within(
    run: (registry: Registry, change: NonNullable<RegistryWorld["change"]>) => Promise<void>,
  ): Promise<void> {
    const world = await make();
    if (world.change === null) throw new Error("this registry never changes");
    try {
      await run(world.registry, world.change);
    } finally {
      await world.close();
    }
  }

  describe(`${name} as a registry that changes`, () => {
    test("gives the whole set after each change, never a delta", () =>
      within(async (registry, change) => {
        const watch = follow(registry, "catalog");
        expect(await watch.next()).toEqual([]);
        await change("catalog", [spec("a")]);
        expect(await watch.next()).toEqual(["a"]);
        await change("catalog", [spec("a"), spec("b")]);
        expect(await untilIs(watch, ["a", "b"])).toEqual(["a", "b"]);
        await change("catalog", []);
        expect(await untilIs(watch, [])).toEqual([]);
        watch.end();
      }));

    test("loses no change that comes between the start of a watch and its first value", () =>
      within(async (registry, change) => {
        const watch = follow(registry, "catalog");
        await change("catalog", [spec("a")]);
        expect(await untilIs(watch, ["a"])).toEqual(["a"]);
        watch.end();
      }));

    test("gives a slow follower the latest set, not the ones between", () =>
      within(async (registry, change) => {
        const watch = follow(registry, "catalog");
        await watch.next();
        for (let i = 1; i <= 20; i++) await change("catalog", [spec(`e${i}`)]);
        expect(await watch.next()).toEqual(["e20"]);
        watch.end();
      }));

    test("tells nobody of a change in another service", () =>
      within(async (registry, change) => {
        const watch = follow(registry, "catalog");
        await watch.next();
        const waiting = watch.raw();
        await change("other", [spec("x")]);
        const other = follow(registry, "other");
        expect(await untilIs(other, ["x"])).toEqual(["x"]);
        await change("catalog", [spec("a")]);
        expect(idsOf((await waiting).value)).toEqual(["a"]);
        watch.end();
        other.end();
      }));
  });
}

// A registry over a network may show a step in between; the last set must come all the same.
async function untilIs(watch: { next(): Promise<string[]> }, wanted: readonly string[]): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const ids = await watch.next();
    if (tries === 10 || Bun.deepEquals(ids, [...wanted])) return ids;
  }
}
