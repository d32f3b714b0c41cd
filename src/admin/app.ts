import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { AdminConfig } from "../config/types.ts";
import { type Asker, createAuth } from "./auth.ts";
import { jsonText } from "./json-text.ts";
import { changeLedger, LEDGER_PATH, type LedgerDeps, readLedger } from "./ledger.ts";
import { OPENAPI_PATH, openApi } from "./openapi.ts";
import { NO_STORE, problem } from "./problem.ts";
import { RESOURCES } from "./resources.ts";
import { siteFault } from "./site.ts";
import type { AdminSource } from "./source.ts";

/** No request has use for a larger body. */
export const BODY_BYTES = 64 * 1024;

export interface AdminAppOptions extends Pick<AdminConfig, "address" | "tokens"> {
  readonly source: AdminSource;
  /** Of Torii. */
  readonly version: string;
  /** Hears of what could not be answered; whoever asked learns nothing of it. */
  readonly onFault: (error: unknown, path: string) => void;
  /** Hears of every correction of what a quota counts. */
  readonly onChange: LedgerDeps["onChange"];
}

const FIELDS = { ...NO_STORE, "content-type": "application/json", "x-content-type-options": "nosniff" };

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);

function field(context: Context, name: string): string | null {
  return context.req.header(name) ?? null;
}

/** Keeps out what a browser sends for a page of another site. */
function checkSite(address: string): MiddlewareHandler {
  return async (context, next) => {
    const [host, origin] = [field(context, "host"), field(context, "origin")];
    const fault = siteFault({ host, origin, fetchSite: field(context, "sec-fetch-site") }, address);
    if (fault === null) await next();
    return fault === null ? undefined : fault === "host" ? misdirected() : foreign();
  };
}

function misdirected(): Response {
  const detail = "The Host is no name of this machine; ask for localhost or for the address that admin names.";
  return problem({ code: "misdirected_request", title: "Misdirected request", status: 421, detail });
}

function foreign(): Response {
  const detail = "Pages of other sites may not use the admin API.";
  return problem({ code: "forbidden", title: "Forbidden", status: 403, detail });
}

/** RFC 6750 3: without a token no error is named. */
function unauthenticated(why: Extract<Asker, string>): Response {
  const detail =
    why === "missing"
      ? "The admin API wants a token, as Authorization: Bearer TOKEN."
      : "The token is none of those that admin.tokens lists.";
  const challenge = `Bearer realm="torii"${why === "invalid" ? ', error="invalid_token"' : ""}`;
  return problem(
    { code: "unauthenticated", title: "Unauthenticated", status: 401, detail },
    { "www-authenticate": challenge },
  );
}

/** Who looks may not change, whether or not there is something to be changed. */
function insufficient(): Response {
  const detail = "The token's role is viewer; what changes something takes an editor's.";
  const challenge = 'Bearer realm="torii", error="insufficient_scope"';
  return problem({ code: "forbidden", title: "Forbidden", status: 403, detail }, { "www-authenticate": challenge });
}

/** What is known of who asks. */
interface AskerEnv {
  readonly Variables: { token: string };
}

function checkToken(tokens: AdminConfig["tokens"]): MiddlewareHandler<AskerEnv> {
  const auth = createAuth(tokens);
  return async (context, next) => {
    const asker = auth(field(context, "authorization"));
    if (typeof asker === "string") return unauthenticated(asker);
    if (asker.role !== "editor" && !SAFE.has(context.req.method)) return insufficient();
    context.set("token", asker.name);
    await next();
    return undefined;
  };
}

const checkLength: MiddlewareHandler = async (context, next) => {
  if (Number(field(context, "content-length") ?? 0) > BODY_BYTES) {
    const detail = `No request here has a body of more than ${BODY_BYTES} bytes.`;
    return problem({ code: "payload_too_large", title: "Payload too large", status: 413, detail });
  }
  await next();
  return undefined;
};

function notFound(context: Context): Response {
  const detail = `There is no ${context.req.path} here; ${OPENAPI_PATH} lists what there is.`;
  return problem({ code: "not_found", title: "Not found", status: 404, detail });
}

function silent(): Response {
  const detail = "No worker answered in time; the status tells of them.";
  return problem({ code: "no_worker", title: "No worker answered", status: 503, detail }, { "retry-after": "1" });
}

function methodNotAllowed(allow = "GET, HEAD"): Response {
  const facts = { code: "method_not_allowed", title: "Method not allowed", status: 405 };
  const [last, ...others] = allow.split(", ").reverse();
  return problem({ ...facts, detail: `Only ${others.reverse().join(", ")} and ${last} are taken here.` }, { allow });
}

/** For what went wrong here; tells nothing of it. */
export function internal(): Response {
  const detail = "The admin API could not answer this request.";
  return problem({ code: "internal", title: "Internal error", status: 500, detail });
}

/** The admin API as a Hono application. */
export function adminApp({ address, tokens, source, version, onFault, onChange }: AdminAppOptions): Hono<AskerEnv> {
  const app = new Hono<AskerEnv>();
  app.use(checkSite(address), checkToken(tokens), checkLength);
  for (const { path, read } of RESOURCES) {
    app.get(path, async (context) => {
      const found = await read(source, context.req.param("name") ?? "");
      if (found === "absent") return notFound(context);
      return found === "silent" ? silent() : context.body(await jsonText(found), 200, FIELDS);
    });
    app.all(path, () => methodNotAllowed());
  }
  const ledger = { ledger: source.ledger, onChange };
  app.get(LEDGER_PATH, (context) => readLedger(context, ledger));
  app.on(["PUT", "PATCH"], LEDGER_PATH, (context) => changeLedger(context, ledger, context.get("token")));
  app.all(LEDGER_PATH, () => methodNotAllowed("GET, HEAD, PUT, PATCH"));
  const document = `${JSON.stringify(openApi(RESOURCES, version))}\n`;
  app.get(OPENAPI_PATH, (context) => context.body(document, 200, FIELDS));
  app.all(OPENAPI_PATH, () => methodNotAllowed());
  app.notFound(notFound);
  app.onError((error, context) => {
    onFault(error, context.req.path);
    return internal();
  });
  return app;
}
