import type { MemoryRegistry } from "../registry/memory.ts";
import { type DemoServer, startCatalog, startWeb } from "./demo-services.ts";

export interface DemoOptions {
  readonly registry: Pick<MemoryRegistry, "register" | "deregister">;
  /** How long an endpoint stays known without being renewed; 10,000 unless given. Renewed three times as often. */
  readonly leaseMs?: number;
}

/** One endpoint of the demo, as it is registered. */
export interface DemoEndpoint {
  readonly service: string;
  readonly id: string;
  readonly url: string;
}

export interface Demo {
  readonly endpoints: readonly DemoEndpoint[];
  /** Deregisters the services and stops them. */
  close(): Promise<void>;
}

interface Running extends DemoEndpoint {
  readonly server: DemoServer;
}

function startServices(): readonly Running[] {
  const servers: readonly (readonly [string, string, DemoServer])[] = [
    ["catalog", "catalog-1", startCatalog("catalog-1", "current")],
    ["catalog", "catalog-2", startCatalog("catalog-2", "current")],
    ["catalog-next", "catalog-next-1", startCatalog("catalog-next-1", "next")],
    ["web", "web-1", startWeb()],
  ];
  return servers.map(([service, id, server]) => ({ service, id, url: server.url, server }));
}

/** Starts the sample services on free ports of the loopback address; they register themselves and stay registered. */
export function startDemo({ registry, leaseMs = 10_000 }: DemoOptions): Demo {
  const running = startServices();
  const renew = (): void => {
    for (const { service, id, url } of running) registry.register(service, { id, url, weight: 1 }, leaseMs);
  };
  renew();
  const timer = setInterval(renew, leaseMs / 3);

  async function close(): Promise<void> {
    clearInterval(timer);
    for (const { service, id } of running) registry.deregister(service, id);
    await Promise.all(running.map(({ server }) => server.close()));
  }

  return { endpoints: running.map(({ service, id, url }) => ({ service, id, url })), close };
}

type Example = readonly [shows: string, command: string];

function examples(origin: string): readonly Example[] {
  const shop = "curl -H 'Host: shop.example.com'";
  const many = `for i in $(seq 20); do ${shop.replace("curl", "curl -s")} ${origin}/catalog/items/1; done`;
  return [
    ["a host and a prefix; two endpoints share the work", `${shop} ${origin}/catalog/items`],
    ["a weighted split: about one answer in five is of version next", many],
    ["a header match: x-beta: 1 always gets version next", `${shop} -H 'x-beta: 1' ${origin}/catalog/items`],
    ["a redirect: /shop/… moved to /catalog/…", `curl -i -H 'Host: shop.example.com' ${origin}/shop/items`],
    ["a rewrite: the service is asked for /catalog/items/2", `${shop} ${origin}/api/v1/items/2`],
    ["a plugin of your own: my-plugins/add-header.ts adds x-hello", `curl -i ${origin}/hello`],
    ["what a service gets: the request with its forwarding headers", `curl -d 'some text' ${origin}/echo`],
    ["server-sent events, as they come", `curl -N ${origin}/events`],
    ["a problem that Torii tells itself: this path could be read in two ways", `curl --path-as-is ${origin}/a/../echo`],
  ];
}

/** What to try, as text for the terminal. `origin` is where the gateway listens, such as `http://127.0.0.1:8080`. */
export function demoGuide(origin: string, endpoints: readonly DemoEndpoint[]): string {
  const services = endpoints.map(({ service, id, url }) => `  ${service.padEnd(14)}${id.padEnd(16)}${url}`);
  const tries = examples(origin).map(([shows, command]) => `  # ${shows}\n  ${command}`);
  return [
    `The demo is up: open ${origin}/ in a browser, or try the commands below.`,
    "Its routes are in routes/demo.yaml; edits are picked up at once.",
    "Ctrl-C lets requests finish and ends it, a second Ctrl-C ends it at once.\n",
    "Sample services:",
    ...services,
    "",
    tries.join("\n\n"),
    "",
  ].join("\n");
}
