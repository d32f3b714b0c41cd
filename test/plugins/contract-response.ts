import type { Case } from "./contract.ts";

/** What plugins do to responses, and answers of their own. */
export const RESPONSE_CASES: readonly Case[] = [
  {
    name: "a plugin that passes on changes nothing",
    plugins: () => [(_, next) => next()],
    expect: { status: 200, body: "from the service", cookies: ["a=1", "b=2"], received: [""] },
  },
  {
    name: "a plugin answers and the service is not reached",
    plugins: () => [(c) => c.json({ mine: true }, 418, { "x-plugin": "1" })],
    expect: { status: 418, body: '{"mine":true}', received: [] },
  },
  {
    name: "an async plugin answers with a Response of its own",
    plugins: () => [async () => new Response("plain", { status: 202, headers: { "x-plugin": "1" } })],
    expect: { status: 202, body: "plain", received: [] },
  },
  {
    name: "a text keeps its content type",
    plugins: () => [(c) => c.text("täxt")],
    expect: { status: 200, body: "täxt" },
  },
  {
    name: "a redirect",
    plugins: () => [(c) => c.redirect("/elsewhere", 301)],
    ask: { headers: [["x-none", "1"]] },
    compare: ["status", "headers", "received"],
    expect: { status: 301, received: [] },
  },
  {
    name: "a header set before next stands on the response",
    plugins: () => [
      async (c, next) => {
        c.header("x-before", "1");
        await next();
      },
    ],
    expect: { status: 200, body: "from the service" },
  },
  {
    name: "of a header set before next and by the service, the service's stays",
    plugins: () => [
      async (c, next) => {
        c.header("x-service", "plugin");
        await next();
      },
    ],
    expect: { headers: { "content-type": "text/plain", "x-service": "catalog" } },
  },
  {
    name: "a header set on c.res before next wins over the service's",
    plugins: () => [
      async (c, next) => {
        c.res.headers.set("x-service", "plugin");
        c.res.headers.set("x-more", "2");
        await next();
      },
    ],
    expect: {
      headers: { "content-type": "text/plain", "x-service": "plugin", "x-more": "2" },
      body: "from the service",
    },
  },
  {
    name: "headers are set, appended and deleted after next",
    plugins: () => [
      async (c, next) => {
        await next();
        c.header("x-service", undefined);
        c.header("x-after", "1");
        c.header("x-after", "2", { append: true });
        c.res.headers.set("x-direct", "3");
      },
    ],
    expect: { headers: { "content-type": "text/plain", "x-after": "1, 2", "x-direct": "3" }, body: "from the service" },
  },
  {
    name: "a cookie added after next stands beside the service's",
    plugins: () => [
      async (c, next) => {
        await next();
        c.header("set-cookie", "c=3", { append: true });
      },
    ],
    expect: { cookies: ["a=1", "b=2", "c=3"] },
  },
  {
    name: "c.header(set-cookie) after next replaces every cookie",
    plugins: () => [
      async (c, next) => {
        await next();
        c.header("set-cookie", "only=1");
      },
    ],
    expect: { cookies: ["only=1"] },
  },
  {
    name: "the response is replaced and starts clean",
    plugins: () => [
      async (c, next) => {
        await next();
        await c.res.body?.cancel();
        c.res = undefined;
        c.res = new Response("new", { status: 201, headers: { "x-new": "1", "content-type": "text/plain" } });
      },
    ],
    expect: { status: 201, headers: { "x-new": "1", "content-type": "text/plain" }, cookies: [], body: "new" },
  },
  {
    name: "the response is replaced and takes the old headers over",
    plugins: () => [
      async (c, next) => {
        await next();
        await c.res.body?.cancel();
        c.res = new Response("new", { status: 201, headers: { "x-service": "mine", "content-type": "text/html" } });
      },
    ],
    expect: {
      status: 201,
      headers: { "x-service": "catalog", "content-type": "text/html" },
      cookies: ["a=1", "b=2"],
      body: "new",
    },
  },
  {
    name: "the response's text is read and replaced",
    plugins: () => [
      async (c, next) => {
        await next();
        const text = await c.res.text();
        c.res = new Response(text.toUpperCase(), c.res);
      },
    ],
    expect: { status: 200, body: "FROM THE SERVICE", cookies: ["a=1", "b=2"] },
  },
  {
    name: "a clone of the response is read and the response goes out",
    plugins: () => [
      async (c, next) => {
        await next();
        const copy = c.res.clone();
        c.header("x-length", String((await copy.text()).length));
      },
    ],
    expect: { status: 200, body: "from the service" },
  },
  {
    name: "the response is wrapped again with its body untouched",
    plugins: () => [
      async (c, next) => {
        await next();
        c.res = new Response(c.res.body, { status: 203, headers: c.res.headers });
      },
    ],
    expect: { status: 203, body: "from the service", cookies: ["a=1", "b=2"] },
  },
  {
    name: "a response returned after next is not taken",
    plugins: () => [
      async (c, next) => {
        await next();
        return c.text("late", 201);
      },
    ],
    expect: { status: 200, body: "from the service" },
  },
  {
    name: "a stream is answered",
    plugins: () => [
      () => {
        const stream = new ReadableStream({
          async start(controller) {
            for (const piece of ["a", "b", "c"]) {
              controller.enqueue(new TextEncoder().encode(piece));
              await Promise.resolve();
            }
            controller.close();
          },
        });
        return new Response(stream, { headers: { "content-type": "text/event-stream" } });
      },
    ],
    expect: { status: 200, body: "abc" },
  },
  {
    name: "an empty answer",
    plugins: () => [(c) => c.body(null, 204)],
    expect: { status: 204, body: "" },
  },
];
