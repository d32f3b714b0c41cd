import * as z from "zod";
import { definePlugin } from "../../src/plugin.ts";

/** Passes on: what any plugin costs. */
export default definePlugin({
  name: "bench-pass",
  options: z.strictObject({}),
  create: () => async (_, next) => {
    await next();
  },
});
