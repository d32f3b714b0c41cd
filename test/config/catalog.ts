import { z } from "zod";
import concurrencyLimit from "../../plugins/concurrency-limit.ts";
import quota from "../../plugins/quota.ts";
import rateLimit from "../../plugins/rate-limit.ts";
import type { Catalog } from "../../src/config/catalog.ts";
import { definePlugin } from "../../src/plugin.ts";

const anything = z.record(z.string(), z.unknown());

const passing = ["request-headers", "response-headers", "redirect", "rewrite", "cors"].map((name) =>
  definePlugin({ name, options: anything, create: () => async (_context, next) => next() }),
);

const addHeader = definePlugin({
  name: "add-header",
  options: z.strictObject({ name: z.string(), value: z.string(), times: z.int().max(3).optional() }),
  create:
    ({ name, value }) =>
    async (context, next) => {
      await next();
      context.header(name, value);
    },
});

const respond = definePlugin({
  name: "respond",
  options: z.strictObject({ status: z.int().min(100).max(599) }),
  create:
    ({ status }) =>
    () =>
      new Response(null, { status }),
});

const throwing = definePlugin({
  name: "throwing",
  options: z.unknown().transform((): unknown => {
    throw new Error("no luck today");
  }),
  create: () => async (_context, next) => next(),
});

const slow = definePlugin({
  name: "slow",
  options: z.unknown().refine(async () => true),
  create: () => async (_context, next) => next(),
});

const PLUGINS = new Map(
  [...passing, addHeader, respond, throwing, slow, rateLimit, quota, concurrencyLimit].map((plugin) => [
    plugin.name,
    plugin,
  ]),
);

/** A catalog with a plugin of strict options, one that answers, and the names that HTTPRoute filters become. */
export const catalog: Catalog = { get: (name) => PLUGINS.get(name), names: () => [...PLUGINS.keys()] };
