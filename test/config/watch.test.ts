import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigWatch, type WatchOptions, watchConfig } from "../../src/config/watch.ts";

const NEVER_MS = 3_600_000;

let folder = "";
let ends = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "torii-watch-"));
  ends = new AbortController();
});

afterEach(async () => {
  ends.abort();
  await rm(folder, { recursive: true });
});

interface Watched {
  readonly watch: ConfigWatch;
  readonly calls: () => number;
  /** Settles at the next call that comes after this was asked for. */
  readonly next: () => Promise<void>;
}

async function watched(paths: readonly string[], options: Partial<WatchOptions> = {}): Promise<Watched> {
  let calls = 0;
  let waiting: (() => void)[] = [];
  const watch = await watchConfig({
    paths: paths.map((path) => join(folder, path)),
    debounceMs: 5,
    pollMs: NEVER_MS,
    signal: ends.signal,
    onChange: () => {
      calls++;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    ...options,
  });
  return { watch, calls: () => calls, next: () => new Promise((resolve) => void waiting.push(resolve)) };
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(join(folder, path), text);
}

async function replace(path: string, text: string): Promise<void> {
  await put(`${path}.tmp`, text);
  await rename(join(folder, `${path}.tmp`), join(folder, path));
}

describe("watching a file", () => {
  test("sees it written in place", async () => {
    await put("torii.yaml", "a");
    const { next, calls } = await watched(["torii.yaml"]);
    const change = next();
    await put("torii.yaml", "b");
    await change;
    expect(calls()).toBeGreaterThanOrEqual(1);
  });

  test("sees it replaced by a rename, twenty times in a row", async () => {
    await put("torii.yaml", "0");
    const { next, calls } = await watched(["torii.yaml"]);
    for (let i = 1; i <= 20; i++) {
      const change = next();
      await replace("torii.yaml", String(i));
      await change;
    }
    expect(calls()).toBe(20);
  });

  test("sees it come and go", async () => {
    const { next, calls } = await watched(["torii.yaml"]);
    const coming = next();
    await put("torii.yaml", "a");
    await coming;
    const going = next();
    await rm(join(folder, "torii.yaml"));
    await going;
    expect(calls()).toBeGreaterThanOrEqual(2);
  });

  test("takes a touch and a write of the same text for no change", async () => {
    await put("torii.yaml", "a");
    const { watch, calls } = await watched(["torii.yaml"]);
    await utimes(join(folder, "torii.yaml"), new Date(0), new Date(0));
    await replace("torii.yaml", "a");
    await watch.look();
    expect(calls()).toBe(0);
  });

  test("does not care for what is written beside it", async () => {
    await put("torii.yaml", "a");
    const { watch, calls } = await watched(["torii.yaml"]);
    await put("access.log", "a line");
    await watch.look();
    expect(calls()).toBe(0);
  });
});

describe("watching a folder", () => {
  beforeEach(async () => {
    await mkdir(join(folder, "routes"));
    await put("routes/a.yaml", "a");
  });

  test("sees files come, change and go", async () => {
    const { next, calls } = await watched(["routes"]);
    for (const act of [
      () => put("routes/b.yaml", "b"),
      () => replace("routes/a.yaml", "a2"),
      () => rm(join(folder, "routes/b.yaml")),
    ]) {
      const change = next();
      await act();
      await change;
    }
    expect(calls()).toBeGreaterThanOrEqual(3);
  });

  test("ends rapid edits in one call", async () => {
    const { watch, next, calls } = await watched(["routes"], { debounceMs: 100 });
    const change = next();
    for (let i = 0; i < 50; i++) await put("routes/a.yaml", String(i));
    await change;
    await watch.look();
    expect(calls()).toBe(1);
  });

  test("looks even while events never end", async () => {
    const { next } = await watched(["routes"], { debounceMs: 20 });
    const change = next();
    let count = 0;
    const noise = setInterval(() => void put("routes/a.yaml", String(count++)), 2);
    await change;
    clearInterval(noise);
    expect(count).toBeGreaterThan(0);
  });

  test("ignores what editors and half-done writes leave", async () => {
    const { watch, calls } = await watched(["routes"]);
    for (const name of [".a.yaml.swp", "a.yaml~", "4913", "#a.yaml#", "a.yaml.tmp"]) await put(`routes/${name}`, "x");
    await watch.look();
    expect(calls()).toBe(0);
  });

  test("goes on when the folder is replaced by another", async () => {
    const { next, calls } = await watched(["routes"]);
    const replaced = next();
    await mkdir(join(folder, "fresh"));
    await put("fresh/a.yaml", "new");
    await rename(join(folder, "routes"), join(folder, "old"));
    await rename(join(folder, "fresh"), join(folder, "routes"));
    await replaced;
    const edited = next();
    await put("routes/a.yaml", "newer");
    await edited;
    expect(calls()).toBeGreaterThanOrEqual(2);
  });

  test("waits for a folder that does not exist yet", async () => {
    const { next, calls } = await watched(["later"]);
    const coming = next();
    await mkdir(join(folder, "later"));
    await coming;
    const filled = next();
    await put("later/a.yaml", "a");
    await filled;
    expect(calls()).toBeGreaterThanOrEqual(2);
  });
});

describe("watching a volume of Kubernetes", () => {
  async function version(name: string, text: string): Promise<void> {
    await mkdir(join(folder, "config", name));
    await put(`config/${name}/a.yaml`, text);
  }

  async function swapTo(name: string): Promise<void> {
    await symlink(name, join(folder, "config", "..data_tmp"));
    await rename(join(folder, "config", "..data_tmp"), join(folder, "config", "..data"));
  }

  beforeEach(async () => {
    await mkdir(join(folder, "config"));
    await version("..1", "one");
    await swapTo("..1");
    await symlink("..data/a.yaml", join(folder, "config", "a.yaml"));
  });

  for (const [what, path] of [
    ["a folder", "config"],
    ["a file", "config/a.yaml"],
  ] as const) {
    test(`sees the link ..data swapped again and again, for ${what}`, async () => {
      const { next, calls } = await watched([path]);
      for (let i = 2; i <= 6; i++) {
        const change = next();
        await version(`..${i}`, `text ${i}`);
        await swapTo(`..${i}`);
        await rm(join(folder, "config", `..${i - 1}`), { recursive: true });
        await change;
      }
      expect(calls()).toBeGreaterThanOrEqual(5);
    });
  }
});

describe("a watch", () => {
  test("finds by itself what no event told", async () => {
    await mkdir(join(folder, "real"));
    await put("real/a.yaml", "a");
    await symlink(join(folder, "real", "a.yaml"), join(folder, "torii.yaml"));
    const { next, calls } = await watched(["torii.yaml"], { pollMs: 20 });
    const change = next();
    // The link's own folder has no event for this.
    await put("real/a.yaml", "b");
    await change;
    expect(calls()).toBe(1);
  });

  test("sees what changed after the reading began and before the watch did", async () => {
    await mkdir(join(folder, "routes"));
    await put("torii.yaml", "a");
    const readAt = Date.now() + 1000;
    const { watch, calls } = await watched(["torii.yaml", "routes"], { readAt });
    await watch.look();
    expect(calls()).toBe(0);
    await put("routes/a.yaml", "a");
    // An hour ago is before the write, whatever the clock of the file system.
    const late = await watched(["torii.yaml", "routes", "missing"], { readAt: Date.now() - NEVER_MS });
    await late.next();
    await late.watch.look();
    expect(late.calls()).toBe(1);
  });

  test("handles a change during a reload after it", async () => {
    await put("torii.yaml", "a");
    const order: string[] = [];
    const { watch } = await watched(["torii.yaml"], {
      debounceMs: NEVER_MS,
      onChange: async () => {
        order.push("start");
        await put("torii.yaml", "c");
        order.push("end");
      },
    });
    await put("torii.yaml", "b");
    await Promise.all([watch.look(), watch.look()]);
    expect(order).toEqual(["start", "end", "start", "end"]);
  });

  test("goes on after a reload that failed, and tells of it", async () => {
    await put("torii.yaml", "a");
    const errors: unknown[] = [];
    const { watch } = await watched(["torii.yaml"], {
      onChange: () => Promise.reject(new Error("refused")),
      onError: (error) => void errors.push(error),
    });
    await put("torii.yaml", "b");
    await watch.look();
    await put("torii.yaml", "c");
    await watch.look();
    expect(errors).toHaveLength(2);
  });

  test("takes a new path for known when it did not change since it was read", async () => {
    await put("a.yaml", "a");
    await put("b.yaml", "b");
    const { watch, calls } = await watched(["a.yaml"]);
    watch.follow([join(folder, "a.yaml"), join(folder, "b.yaml")], Date.now() + 60_000);
    await watch.look();
    expect(calls()).toBe(0);
    await put("b.yaml", "c");
    await watch.look();
    expect(calls()).toBe(1);
    await put("d.yaml", "d");
    watch.follow([join(folder, "a.yaml"), join(folder, "d.yaml")], Date.now() - 60_000);
    await watch.look();
    expect(calls()).toBe(2);
  });

  test("follows other paths, and takes a new one for changed", async () => {
    await put("a.yaml", "a");
    await put("b.yaml", "b");
    const { watch, next, calls } = await watched(["a.yaml"]);
    const followed = next();
    watch.follow([join(folder, "b.yaml")]);
    await followed;
    await put("a.yaml", "a2");
    await watch.look();
    expect(calls()).toBe(1);
  });

  test("ends with its signal", async () => {
    await put("torii.yaml", "a");
    const { watch, calls } = await watched(["torii.yaml"], { pollMs: 5 });
    ends.abort();
    await put("torii.yaml", "b");
    await watch.look();
    expect(calls()).toBe(0);
  });
});
