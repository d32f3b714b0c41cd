import type { Case } from "./contract.ts";

const upper = (text: string) => new TextEncoder().encode(text.toUpperCase());

/** What plugins do to requests. */
export const REQUEST_CASES: readonly Case[] = [
  {
    name: "the response's body goes through a transform stream",
    plugins: () => [
      async (c, next) => {
        await next();
        const decoder = new TextDecoder();
        const transform = new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) => controller.enqueue(upper(decoder.decode(chunk))),
        });
        c.res = new Response(c.res.body?.pipeThrough(transform), c.res);
      },
    ],
    expect: { status: 200, body: "FROM THE SERVICE" },
  },
  {
    name: "the request's text is read and forwarded all the same",
    plugins: () => [
      async (c, next) => {
        c.header("x-read", await c.req.text());
        await next();
      },
    ],
    ask: { method: "POST" },
    requestBody: ["hello ", "there"],
    expect: { received: ["hello there"], body: "from the service" },
  },
  {
    name: "the request's JSON is read twice, then as text",
    plugins: () => [
      async (c, next) => {
        const one: { a: number } = await c.req.json();
        const two: { a: number } = await c.req.json();
        c.header("x-read", `${one.a + two.a} ${await c.req.text()}`);
        await next();
      },
    ],
    ask: { method: "POST", headers: [["content-type", "application/json"]] },
    requestBody: ['{"a"', ":1}"],
    expect: { received: ['{"a":1}'] },
  },
  {
    name: "a form is parsed and forwarded",
    plugins: () => [
      async (c, next) => {
        const form = await c.req.parseBody();
        c.header("x-read", `${form["a"]} ${form["b"]}`);
        await next();
      },
    ],
    ask: { method: "POST", headers: [["content-type", "application/x-www-form-urlencoded"]] },
    requestBody: ["a=1&", "b=2"],
    expect: { received: ["a=1&b=2"] },
  },
  {
    name: "a clone of the raw request is read and the request is forwarded",
    plugins: () => [
      async (c, next) => {
        c.header("x-read", await c.req.raw.clone().text());
        await next();
      },
    ],
    ask: { method: "POST" },
    requestBody: ["one ", "two"],
    expect: { received: ["one two"] },
  },
  {
    name: "the raw request is replaced, body and all",
    plugins: () => [
      async (c, next) => {
        const text = await c.req.raw.text();
        c.req.raw = new Request(c.req.raw, { body: text.toUpperCase() });
        await next();
      },
    ],
    ask: { method: "POST" },
    requestBody: ["quiet"],
    expect: { received: ["QUIET"] },
  },
  {
    name: "the request's body goes through a transform stream",
    plugins: () => [
      async (c, next) => {
        const transform = new TransformStream<Uint8Array, Uint8Array>({
          transform: (chunk, controller) => controller.enqueue(upper(new TextDecoder().decode(chunk))),
        });
        const body = c.req.raw.body?.pipeThrough(transform);
        c.req.raw = new Request(c.req.raw, body === undefined ? {} : { body });
        await next();
      },
    ],
    ask: { method: "POST" },
    requestBody: ["lou", "der"],
    expect: { received: ["LOUDER"] },
  },
  {
    name: "two plugins nest: requests down, responses up",
    plugins: () => [
      async (c, next) => {
        c.set("steps", ["1 down"]);
        await next();
        c.get("steps").push("1 up");
        c.header("x-steps", c.var["steps"].join(", "));
      },
      async (c, next) => {
        c.get("steps").push("2 down");
        await next();
        c.get("steps").push("2 up");
      },
    ],
    expect: {
      headers: { "content-type": "text/plain", "x-service": "catalog", "x-steps": "1 down, 2 down, 2 up, 1 up" },
    },
  },
  {
    name: "a query and a path are read",
    plugins: () => [
      (c) => c.json([c.req.path, c.req.query("q"), c.req.queries("r"), c.req.method, c.req.header("X-A")]),
    ],
    ask: { target: "/some/path%20here?q=a%20b&r=1&r=2", headers: [["x-a", "yes"]] },
    expect: { body: JSON.stringify(["/some/path here", "a b", ["1", "2"], "GET", "yes"]) },
  },
  {
    name: "cookies are read",
    plugins: () => [(c) => c.text(c.req.header("cookie") ?? "none")],
    ask: { headers: [["cookie", "a=1; b=2"]] },
    expect: { body: "a=1; b=2" },
  },
];
