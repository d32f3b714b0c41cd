import * as z from "zod";
import { definePlugin } from "../src/plugin.ts";

/** Adds one header to every response of the route. */
export default definePlugin({
  name: "add-header",
  options: z.strictObject({ name: z.string(), value: z.string() }),
  create:
    ({ name, value }) =>
    async (c, next) => {
      await next();
      c.header(name, value);
    },
});
