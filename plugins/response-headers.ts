import { definePlugin } from "../src/plugin.ts";
import { headerEdits, headerSteps } from "./support/fields.ts";

/** Removes, sets and adds header fields of the response, whoever made it. */
export default definePlugin({
  name: "response-headers",
  options: headerEdits,
  create: (edits) => {
    const steps = headerSteps(edits);
    return async (c, next) => {
      await next();
      for (const { action, name, value } of steps) {
        if (action === "remove") c.header(name, undefined);
        else c.header(name, value, { append: action === "add" });
      }
    };
  },
});
