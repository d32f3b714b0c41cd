import { FILE_BYTES, OK_BODY } from "./backend.ts";
import { BROWSER_HEADERS } from "./browser-headers.ts";
import { limitScenario } from "./limit-scenario.ts";
import { get, type LoadSpec, upload } from "./load.ts";
import { caddyProxy } from "./proxies/caddy.ts";
import { envoyProxy } from "./proxies/envoy.ts";
import { haproxyProxy } from "./proxies/haproxy.ts";
import { nginxProxy } from "./proxies/nginx.ts";
import type { ProxySpec } from "./proxies/proxy.ts";
import { bareRoutes, manyRoutes, pluginRoutes, routePath, toriiProxy } from "./proxies/torii.ts";
import type { LoadScenario, Scenario } from "./scenario.ts";
import { runIdle } from "./special/idle.ts";
import { runReload } from "./special/reload.ts";
import { runStall } from "./special/stall.ts";
import { tcpScenarios } from "./tcp-scenarios.ts";
import { edgeScenarios } from "./tls-scenarios.ts";

/** All proxies that are compared, nginx first. */
export function allProxies(): readonly ProxySpec[] {
  return [nginxProxy(), haproxyProxy(), caddyProxy(), envoyProxy(), bareTorii()];
}

function bareTorii(): ProxySpec {
  return toriiProxy({ name: "torii", routes: bareRoutes });
}

const PLAIN = { startBackend: null, tool: null } as const;

/** In the order in which they run. */
export function allScenarios(): readonly Scenario[] {
  return [...againstOthers(), ...tcpScenarios(), ...edgeScenarios(), ...againstItself(), ...specials()];
}

function againstOthers(): readonly Scenario[] {
  return [
    compared("get-64", "GET, keep-alive", get("/", 64)),
    compared("get-256", "GET, keep-alive", get("/", 256)),
    compared("get-1000", "GET, keep-alive", get("/", 1000)),
    compared("headers-64", "GET with 12 headers of a browser (1.1 KB)", { ...get("/", 64), headers: BROWSER_HEADERS }),
    compared("body-16k", "GET, 16 KiB answer", get("/body-16k", 64)),
    compared("body-1m", "GET, 1 MiB answer", get("/body-1m", 16)),
    compared("upload-16k", "POST, 16 KiB", upload(16 * 1024, 64)),
    compared("upload-1m", "POST, 1 MiB", upload(1024 * 1024, 16)),
    compared("new-connections", "GET, a connection for each", { ...get("/", 64), headers: { Connection: "close" } }),
  ];
}

function compared(name: string, title: string, load: LoadSpec): LoadScenario {
  const answerBytes = FILE_BYTES[load.paths[0] ?? ""] ?? OK_BODY.length;
  return { kind: "load", name, title, contestants: allProxies(), baseline: "nginx", load, answerBytes, ...PLAIN };
}

function againstItself(): readonly Scenario[] {
  const oneRoute = toriiProxy({ name: "torii-1-route", routes: manyRoutes(1) });
  const routes = toriiProxy({ name: "torii-10000-routes", routes: manyRoutes(10_000) });
  const paths = Array.from({ length: 10_000 }, (_, number) => routePath(number));
  const rotated = { ...get("/", 64), paths };
  return [
    itself("routes-10000", "GET, one route and 10,000, one of them asked", {
      contestants: [oneRoute, routes],
      load: get(routePath(5000), 64),
    }),
    itself("routes-10000-all", "GET, one route and 10,000, all asked in scattered order", {
      contestants: [oneRoute, routes],
      load: rotated,
    }),
    itself("plugins-3", "GET, three middleware set headers by c.res.headers", pluginContest("headers")),
    itself("plugins-3-context", "GET, three middleware set headers by c.header", pluginContest("context")),
    limitScenario(),
  ];
}

interface Contest {
  readonly contestants: readonly [ProxySpec, ProxySpec];
  readonly load: LoadSpec;
}

function itself(name: string, title: string, { contestants, load }: Contest): LoadScenario {
  return {
    kind: "load",
    name,
    title,
    contestants,
    baseline: contestants[0].name,
    load,
    answerBytes: OK_BODY.length,
    ...PLAIN,
  };
}

function pluginContest(through: "headers" | "context"): Contest {
  const plugins = toriiProxy({ name: "torii-3-plugins", routes: pluginRoutes(through) });
  const headers = { "X-Read-One": "1", "X-Read-Two": "2", "X-Read-Three": "3" };
  return { contestants: [bareTorii(), plugins], load: { ...get("/", 64), headers } };
}

function specials(): readonly Scenario[] {
  return [
    { kind: "special", name: "reload-1000", title: "1,000 routes, edited again and again under load", run: runReload },
    { kind: "special", name: "idle-10000", title: "10,000 idle clients, each answered once", run: runIdle },
    { kind: "special", name: "stall-500m", title: "500 MB each way, the peer stalls for 4 s", run: runStall },
  ];
}
