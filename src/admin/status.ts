import { type Context, Hono } from "hono";
import { METRICS_CONTENT_TYPE } from "../telemetry/exposition.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { listen, type SideServer } from "./listen.ts";
import { NO_STORE, problem } from "./problem.ts";

/** Why the gateway is not ready, such as `{ code: "draining", detail: "…" }`; holds no secrets. */
export interface ReadyReason {
  readonly code: string;
  readonly detail: string;
}

export interface ReadyState {
  /** True from the first live configuration with accepting listeners on, for ever. */
  readonly isStarted: boolean;
  /** Empty when the gateway is ready. */
  readonly reasons: readonly ReadyReason[];
}

export interface StatusServerOptions {
  readonly address: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Asked at each probe. */
  readonly readyState: () => ReadyState;
  readonly metrics: Pick<Metrics, "render">;
}

/** The server for probes and scrapers. It is open to all who reach it and holds no secrets. */
export type StatusServer = SideServer;

function said(status: string): Response {
  return new Response(`${JSON.stringify({ status })}\n`, {
    headers: { "content-type": "application/json", ...NO_STORE },
  });
}

function startup({ isStarted, reasons }: ReadyState): Response {
  if (isStarted) return said("started");
  const detail = "No configuration is live yet.";
  return problem({ code: "not_started", title: "Not started", status: 503, detail, reasons });
}

function readiness({ isStarted, reasons }: ReadyState): Response {
  if (isStarted && reasons.length === 0) return said("ready");
  const detail = "The gateway takes no requests; the reasons say why.";
  const given = reasons.length > 0 ? reasons : [{ code: "starting", detail: "No configuration is live yet." }];
  return problem({ code: "not_ready", title: "Not ready", status: 503, detail, reasons: given });
}

function notFound(context: Context): Response {
  const detail = `There is no ${context.req.path} here; there are /livez, /readyz, /startupz and /metrics.`;
  return problem({ code: "not_found", title: "Not found", status: 404, detail });
}

function methodNotAllowed(): Response {
  const facts = { code: "method_not_allowed", title: "Method not allowed", status: 405 } as const;
  return problem({ ...facts, detail: "Only GET and HEAD are taken here." }, { allow: "GET, HEAD" });
}

function internal(): Response {
  const detail = "The status server could not answer this request.";
  return problem({ code: "internal", title: "Internal error", status: 500, detail });
}

/** The status routes, as a Hono application. */
function statusApp({ readyState, metrics }: Pick<StatusServerOptions, "readyState" | "metrics">): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    const { method } = context.req;
    if (method !== "GET" && method !== "HEAD") return methodNotAllowed();
    await next();
    return undefined;
  });
  app.get("/livez", () => said("live"));
  app.get("/readyz", () => readiness(readyState()));
  app.get("/startupz", () => startup(readyState()));
  app.get("/metrics", async (context) =>
    context.body(await metrics.render(), 200, { "content-type": METRICS_CONTENT_TYPE, ...NO_STORE }),
  );
  app.notFound(notFound);
  app.onError(internal);
  return app;
}

/** Starts the status server. Throws an Error that names address and port when it cannot listen there. */
export function createStatusServer(options: StatusServerOptions): StatusServer {
  const app = statusApp(options);
  const { address, port } = options;
  return listen({ what: "status server", address, port, fetch: (request) => app.fetch(request), error: internal });
}
