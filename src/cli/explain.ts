import { parseArgs } from "node:util";
import { pluginText } from "../admin/routes-view.ts";
import { passesBytes } from "../config/byte-route.ts";
import { ruleOf } from "../config/compile.ts";
import { loadConfig } from "../config/source.ts";
import type { Config, ListenerConfig, RouteConfig } from "../config/types.ts";
import { httpsRedirect, isChallenge } from "../gateway/https-redirect.ts";
import { type Explanation, explain as explainRoute } from "../route/explain.ts";
import { hostMatches } from "../route/hostname.ts";
import type { RouteRequest } from "../route/match.ts";
import type { SubsetSelector } from "../service/options.ts";
import { redactTarget } from "../telemetry/redaction.ts";
import { HeaderList } from "../wire/header-list.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { bytesAnswer, bytesText } from "./explain-bytes.ts";
import { backendText, endpointsOf } from "./explain-endpoints.ts";
import { listenerOf, type Origin } from "./explain-listener.ts";

export const explain: Command = {
  name: "explain",
  usage: "torii explain METHOD URL [-H 'name: value']… [--listener NAME] [--config torii.yaml] [--json]",
  summary: "says which route takes a request, and why every other one does not; sends nothing",
  async run(args, context) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        header: { type: "string", short: "H", multiple: true, default: [] },
        listener: { type: "string" },
        config: { type: "string" },
        json: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
    if (positionals.length !== 2) throw new UsageError("give a method and a URL");
    const { config } = await loadConfig({
      path: values.config ?? null,
      env: context.env,
      cwd: context.cwd,
      openCatalog: context.openCatalog,
      readCertificate: "skipped",
    });
    const { origin, ...asked } = requestOf(positionals, values.header);
    const listener = listenerOf(config, values.listener, origin);
    const request = { ...asked, listener: listener.name };
    if (passesBytes(listener.protocol)) {
      const bytes = bytesAnswer(request.host, config, listener);
      context.out(values.json ? JSON.stringify(bytes, null, 2) : bytesText(bytes, config));
      return EXIT.done;
    }
    const answer = answerTo(request, config, listener);
    context.out(values.json ? JSON.stringify(answer, null, 2) : textOf(answer, request, config));
    // That no route takes the request is an answer too.
    return EXIT.done;
  },
};

const URL_PARTS = /^(?:(https?):\/\/([^/?#]*))?(\/[^#]*|\?[^#]*)?$/i;

type Asked = Omit<RouteRequest, "listener"> & { readonly origin: Origin };

function requestOf(positionals: readonly string[], headerTexts: readonly string[]): Asked {
  const [method = "", url = ""] = positionals;
  // Taken apart by hand: a URL parser would normalise the path, and the path as sent is what is to be explained.
  const parts = URL_PARTS.exec(url);
  if (parts === null)
    throw new UsageError(`${redactTarget(url)} is no URL; give http://host/path, or /path with -H 'Host: …'`);
  const headers = new HeaderList();
  for (const text of headerTexts) addHeader(headers, text);
  const [, scheme, written, target = "/"] = parts;
  const authority = written ?? headers.first("host") ?? "";
  if (authority.includes("@"))
    throw new UsageError("the gateway refuses credentials in a URL; leave out what goes before @");
  const host = authority.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
  return {
    method,
    host,
    origin: { scheme: schemeOf(scheme), host, port: portOf(authority) },
    target: Buffer.from(target.startsWith("?") ? `/${target}` : target).toString("latin1"),
    headers,
  };
}

function schemeOf(text: string | undefined): Origin["scheme"] {
  if (text === undefined) return null;
  return text.toLowerCase() === "https" ? "https" : "http";
}

function portOf(authority: string): number | null {
  const digits = /:(\d+)$/.exec(authority)?.[1];
  return digits === undefined ? null : Number(digits);
}

function addHeader(headers: HeaderList, text: string): void {
  const colon = text.indexOf(":");
  if (colon < 1) throw new UsageError(`"${text}" is no header; write 'name: value'`);
  try {
    // A header carries one octet a character, as it goes over the wire: what is not ASCII as UTF-8.
    headers.add(text.slice(0, colon).trim(), Buffer.from(text.slice(colon + 1).trim()).toString("latin1"));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

interface Answer {
  /** Name of the listener that is asked. */
  readonly listener: string;
  readonly route: string | null;
  readonly path: string;
  /** Why the listener serves no such host, or null. */
  readonly unserved: string | null;
  readonly refusal: string | null;
  /** Where the listener sends the client instead of asking a route; null: it does not. */
  readonly redirect: { readonly status: number; readonly location: string } | null;
  /** The route that would take the request if it allowed the path that is refused, or null. */
  readonly wouldBe: string | null;
  readonly params: Readonly<Record<string, string>> | null;
  readonly plugins: readonly string[];
  readonly backends: readonly {
    readonly service: string;
    readonly weight: number;
    /** Null: all endpoints of the service. */
    readonly subset: SubsetSelector | null;
    readonly endpoints: readonly string[] | null;
    readonly plugins: readonly string[];
  }[];
  readonly timeoutMs: number | null;
  readonly others: readonly { readonly route: string; readonly reasons: readonly string[] }[];
}

/** Asks the listener first, as the gateway does: no route counts for a host that it does not serve. */
function answerTo(request: RouteRequest, config: Config, listener: ListenerConfig): Answer {
  const answer = routedAnswer(request, config, listener);
  const { httpsRedirectPort: port } = listener;
  const isRouted = port === null || (isChallenge(request) && answer.route !== null);
  return { ...answer, redirect: isRouted ? null : httpsRedirect(request, port) };
}

function routedAnswer(request: RouteRequest, config: Config, listener: ListenerConfig): Omit<Answer, "redirect"> {
  const unserved = unservedBy(listener, request.host);
  // What passes bytes takes no request.
  const routes = unserved === null ? config.routes.filter((route) => !route.isPassthrough) : [];
  const rules = routes.map((route, order) => ruleOf(route, order, route));
  const explanation = explainRoute(rules, request);
  const answer = describe(explanation, config);
  return { listener: listener.name, ...answer, unserved, refusal: unserved === null ? answer.refusal : null };
}

function unservedBy({ name, hostnames }: ListenerConfig, host: string): string | null {
  if (hostnames.length === 0 || hostnames.some((hostname) => hostMatches(hostname, host))) return null;
  return `listener ${name} serves ${hostnames.join(", ")}, not ${host || "a request without host"}`;
}

function describe(
  explanation: Explanation<RouteConfig>,
  config: Config,
): Omit<Answer, "listener" | "unserved" | "redirect"> {
  const route = explanation.found?.target ?? null;
  const first = explanation.verdicts.find(({ isWinner }) => isWinner);
  const others = explanation.verdicts.filter(({ isWinner }) => !isWinner);
  return {
    route: route?.name ?? null,
    path: explanation.path,
    refusal: explanation.refusal,
    wouldBe: explanation.refusal === null ? null : (first?.route ?? null),
    params: explanation.found?.params ?? null,
    plugins: route?.plugins.map(pluginText) ?? [],
    backends: (route?.backends ?? []).map((backend) => ({
      service: backend.service,
      weight: backend.weight,
      subset: backend.subset,
      endpoints: endpointsOf(backend, config),
      plugins: backend.plugins.map(pluginText),
    })),
    timeoutMs: route?.timeoutMs ?? null,
    others: others.map(({ route: name, reasons }) => ({ route: name, reasons })),
  };
}

function textOf(answer: Answer, request: RouteRequest, config: Config): string {
  const lines = [
    `${request.method} ${request.host || "(no host)"}${shownTarget(request.target)}`,
    `listener ${answer.listener}`,
  ];
  if (answer.redirect !== null) return [...lines, redirectLine(answer.redirect)].join("\n");
  if (answer.unserved !== null) lines.push(`no route takes it: 404 route_not_found; ${answer.unserved}`);
  else if (answer.refusal !== null) lines.push(...refusalLines(answer));
  else if (answer.route === null) lines.push("no route takes it: 404 route_not_found");
  else lines.push(...winnerLines(answer, config));
  if (answer.others.length > 0) lines.push("", "other routes:");
  for (const { route, reasons } of answer.others) lines.push(`  ${route}: ${reasons.join("; ")}`);
  return lines.join("\n");
}

function shownTarget(target: string): string {
  return Buffer.from(redactTarget(target), "latin1").toString();
}

function redirectLine({ status, location }: NonNullable<Answer["redirect"]>): string {
  return `redirected with ${status} to ${shownTarget(location)}: redirectToHttps of the listener, before any route`;
}

function refusalLines({ refusal, wouldBe }: Answer): string[] {
  const line = `refused with 400 ambiguous_path: ${refusal}`;
  return wouldBe === null ? [line] : [line, `route ${wouldBe} would take it, if its paths allowed that`];
}

function winnerLines(answer: Answer, config: Config): string[] {
  const lines = [`route    ${answer.route}`, `path     ${answer.path}`];
  if (answer.params !== null) lines.push(`params   ${JSON.stringify(answer.params)}`);
  lines.push(`plugins  ${answer.plugins.join(" → ") || "none"}`);
  for (const backend of answer.backends) {
    const { plugins } = backend;
    const own = plugins.length === 0 ? "" : `, plugins ${plugins.join(" → ")}`;
    lines.push(`${backendText(backend, config)}${own}`);
  }
  if (answer.backends.length === 0) lines.push("backend  none: a plugin answers");
  return lines;
}
