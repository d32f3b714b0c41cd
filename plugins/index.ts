import type { Plugin } from "../src/plugin.ts";
import concurrencyLimit from "./concurrency-limit.ts";
import cors from "./cors.ts";
import quota from "./quota.ts";
import rateLimit from "./rate-limit.ts";
import redirect from "./redirect.ts";
import requestHeaders from "./request-headers.ts";
import respond from "./respond.ts";
import responseHeaders from "./response-headers.ts";
import rewrite from "./rewrite.ts";

/** The built-in plugins. */
export const builtIns: readonly Plugin[] = [
  concurrencyLimit,
  cors,
  quota,
  rateLimit,
  redirect,
  requestHeaders,
  respond,
  responseHeaders,
  rewrite,
];
