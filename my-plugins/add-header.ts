import { definePlugin, z } from "torii";

/** Adds one header to every response of the route. */
export default definePlugin({
  name: "add-header",
  options: z.strictObject({ name: z.string(), value: z.string() }),
  create:
    ({ name, value }) =>
    async (c, next) => {
      await next();
      c.res.headers.set(name, value);
    },
});
