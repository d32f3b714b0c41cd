import { HTTPException } from "hono/http-exception";
import type { Case } from "./contract.ts";

/** The order of plugins, and what comes of errors. */
export const FLOW_CASES: readonly Case[] = [
  {
    name: "a sync plugin between async ones",
    plugins: () => [
      async (c, next) => {
        await next();
        c.header("x-outer", "1");
      },
      (_, next) => next(),
      async (c, next) => {
        await next();
        c.header("x-inner", "1");
      },
    ],
    expect: { headers: { "content-type": "text/plain", "x-service": "catalog", "x-outer": "1", "x-inner": "1" } },
  },
  {
    name: "what is bound to the app stands in c.env",
    plugins: () => [(c) => c.text(String(c.env.marker))],
    expect: { body: "env" },
  },
  {
    name: "a thrown error is a 500, and the outer plugin finds it in c.error",
    plugins: () => [
      async (c, next) => {
        await next();
        c.header("x-error", c.error?.message ?? "none");
      },
      () => {
        throw new Error("broken");
      },
    ],
    compare: ["status", "cookies", "received"],
    expect: { status: 500, received: [] },
  },
  {
    name: "await next() does not reject with an error of an inner plugin",
    plugins: () => [
      async (c, next) => {
        try {
          await next();
          c.header("x-caught", "no");
        } catch {
          c.header("x-caught", "yes");
        }
      },
      async () => {
        throw new TypeError("broken");
      },
    ],
    compare: ["status", "received"],
    expect: { status: 500, received: [] },
  },
  {
    name: "an error after next takes the response's place",
    plugins: () => [
      async (_, next) => {
        await next();
        throw new Error("late");
      },
    ],
    compare: ["status", "received", "cookies"],
    expect: { status: 500, received: [""], cookies: ["a=1", "b=2"] },
  },
  {
    name: "an HTTPException brings its own response",
    plugins: () => [
      (c) => {
        c.header("x-set", "1");
        throw new HTTPException(401, { res: new Response("who?", { status: 401, headers: { "x-own": "1" } }) });
      },
    ],
    // A body without a type is a text here, and octets under Bun's own server.
    compare: ["status", "body", "received"],
    expect: {
      status: 401,
      body: "who?",
      received: [],
      headers: { "x-own": "1", "x-set": "1", "content-type": "text/plain;charset=utf-8" },
    },
  },
  {
    name: "an HTTPException with a message",
    plugins: () => [
      () => {
        throw new HTTPException(403, { message: "not you" });
      },
    ],
    compare: ["status", "body", "received"],
    expect: { status: 403, body: "not you", received: [], headers: { "content-type": "text/plain;charset=utf-8" } },
  },
  {
    name: "an error is answered by the outer plugin",
    plugins: () => [
      async (c, next) => {
        await next();
        if (c.error === undefined) return;
        c.res = undefined;
        c.res = new Response("fallback", { status: 200, headers: { "content-type": "text/plain" } });
      },
      () => {
        throw new Error("broken");
      },
    ],
    expect: { status: 200, body: "fallback", cookies: [] },
  },
  {
    name: "next() called twice is an error",
    plugins: () => [
      async (_, next) => {
        await next();
        await next();
      },
    ],
    compare: ["status", "received"],
    expect: { status: 500, received: [""] },
  },
  {
    name: "next() called twice by an inner plugin reaches the service once",
    plugins: () => [
      async (_, next) => next(),
      async (_, next) => {
        await next();
        await next();
      },
    ],
    compare: ["status", "received"],
    expect: { status: 500, received: [""] },
  },
  {
    name: "a second next() that is returned is an error",
    plugins: () => [
      async (_, next) => {
        await next();
        return next();
      },
    ],
    compare: ["status", "received"],
    expect: { status: 500 },
  },
  {
    name: "neither an answer nor next() is an error",
    plugins: () => [async () => undefined],
    compare: ["status", "received"],
    expect: { status: 500, received: [] },
  },
];
