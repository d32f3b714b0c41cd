import { definePlugin, type PluginEnv } from "../src/plugin.ts";
import { type HeaderStep, headerEdits, headerSteps } from "./support/fields.ts";

function take(env: PluginEnv, { action, name, value }: HeaderStep): void {
  // The host is written from here, whatever the field says.
  if (name.toLowerCase() === "host" && action !== "remove") env.upstreamAuthority = value;
  else if (action === "set") env.headers.set(name, value);
  else if (action === "add") env.headers.add(name, value);
  else env.headers.delete(name);
}

/** Removes, sets and adds header fields of the request on its way upstream. */
export default definePlugin({
  name: "request-headers",
  options: headerEdits,
  create: (edits) => {
    const steps = headerSteps(edits);
    return (c, next) => {
      for (const step of steps) take(c.env, step);
      return next();
    };
  },
});
