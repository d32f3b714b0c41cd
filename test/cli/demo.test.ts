import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Demo, demoGuide, startDemo } from "../../src/cli/demo.ts";
import { createMemoryRegistry } from "../../src/registry/memory.ts";

const registry = createMemoryRegistry();
let demo: Demo;
let web = "";

async function idsOf(service: string): Promise<string[]> {
  const abort = new AbortController();
  for await (const endpoints of registry.watch(service, abort.signal)) return endpoints.map(({ id }) => id);
  return [];
}

beforeAll(() => {
  demo = startDemo({ registry });
  web = demo.endpoints.find(({ service }) => service === "web")?.url ?? "";
});
afterAll(async () => {
  await demo.close();
  registry.close();
});

describe("the demo's services", () => {
  test("register themselves", async () => {
    expect(await idsOf("catalog")).toEqual(["catalog-1", "catalog-2"]);
    expect(await idsOf("catalog-next")).toEqual(["catalog-next-1"]);
    expect(await idsOf("web")).toEqual(["web-1"]);
  });

  test("stay registered beyond their lease, and leave when they are closed", async () => {
    const own = createMemoryRegistry();
    const abort = new AbortController();
    const sizes: number[] = [];
    const short = startDemo({ registry: own, leaseMs: 600 });
    const followed = (async () => {
      for await (const endpoints of own.watch("catalog", abort.signal)) sizes.push(endpoints.length);
    })();
    // A real lease must pass more than once: whether the services renew it in time is the question. A busy machine may
    // let a renewal wait for as long as a lease of a few milliseconds.
    await Bun.sleep(1300);
    expect(sizes).toEqual([2]);
    await short.close();
    abort.abort();
    await followed;
    for await (const endpoints of own.watch("catalog", new AbortController().signal)) {
      expect(endpoints).toEqual([]);
      break;
    }
    own.close();
  });

  test("tell who answered, and which version", async () => {
    const [first, , next] = demo.endpoints;
    const items = await (await fetch(`${first?.url}/catalog/items`)).json();
    expect(items).toMatchObject({ endpoint: "catalog-1", version: "current", path: "/catalog/items" });
    const item = await (await fetch(`${next?.url}/items/2`)).json();
    expect(item).toMatchObject({ version: "next", items: [{ id: 2, name: "folding fan" }] });
    expect((await fetch(`${first?.url}/items/99`)).status).toBe(404);
  });

  test("echo a request", async () => {
    const response = await fetch(`${web}/echo?a=1`, { method: "PUT", body: "text", headers: { "x-a": "b" } });
    expect(await response.json()).toMatchObject({
      method: "PUT",
      path: "/echo?a=1",
      host: new URL(web).host,
      headers: { "x-a": "b" },
      body: "text",
    });
  });

  test("stream events as they come", async () => {
    const response = await fetch(`${web}/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toBe("id: 1\ndata: event 1\n\n");
    await reader?.cancel();
  });

  test("answer late when they are asked to", async () => {
    expect(await (await fetch(`${web}/slow?ms=5`)).json()).toEqual({ waitedMs: 5 });
    expect(await (await fetch(`${web}/slow?ms=nonsense`)).json()).toEqual({ waitedMs: 0 });
  });

  test("say everything back on a WebSocket", async () => {
    const socket = new WebSocket(`${web.replace("http", "ws")}/ws`);
    const said = new Promise<string>((resolve) => {
      socket.onmessage = ({ data }) => resolve(String(data));
    });
    socket.onopen = () => socket.send("hello");
    expect(await said).toBe("hello");
    socket.close();
    expect((await fetch(`${web}/ws`)).status).toBe(426);
  });

  test("show a page that needs nothing from elsewhere", async () => {
    const page = await (await fetch(`${web}/`)).text();
    expect(page).toContain("<h1>Torii demo</h1>");
    expect(page).not.toMatch(/https?:\/\//);
  });
});

test("the guide names every endpoint, and its commands use the gateway's address", () => {
  const guide = demoGuide("http://127.0.0.1:8099", demo.endpoints);
  for (const { id, url } of demo.endpoints) expect(guide).toMatch(new RegExp(`${id} +${url}\n`));
  const commands = guide.split("\n").filter((line) => /^ {2}(curl|for) /.test(line));
  expect(commands.length).toBeGreaterThanOrEqual(8);
  expect(commands.filter((line) => !line.includes(" http://127.0.0.1:8099/"))).toEqual([]);
});
