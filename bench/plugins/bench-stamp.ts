import * as z from "zod";
import { definePlugin } from "../../src/plugin.ts";

const options = z.strictObject({
  read: z.string(),
  write: z.string(),
  /** `headers` sets on the response's own headers; `context` uses `c.header`, which makes a new Response. */
  through: z.enum(["headers", "context"]),
});

/** Reads one request header and writes it into one response header: the least that a useful plugin does. */
export default definePlugin({
  name: "bench-stamp",
  options,
  create:
    ({ read, write, through }) =>
    async (context, next) => {
      const value = context.req.header(read) ?? "none";
      await next();
      if (through === "context") context.header(write, value);
      else context.res.headers.set(write, value);
    },
});
