import { describe, expect, test } from "bun:test";
import { createStaticRegistry } from "../../src/registry/static.ts";
import { createServices } from "../../src/service/services.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { ok, startAnswering } from "../support/upstream.ts";
import { forward, serviceOptions, spec } from "./support.ts";

function open() {
  const made: string[] = [];
  const services = createServices({
    wheel: new TimerWheel(),
    random: Math.random,
    onWarning() {},
    registryFor(options, name) {
      made.push(name);
      return createStaticRegistry({ [name]: options.endpoints });
    },
  });
  return { made, services };
}

const at = (url: string) => serviceOptions({ discover: "static", endpoints: [spec("one", url)] });

describe("the directory of services", () => {
  test("gives the same service for the same name and equal options", () => {
    const { made, services } = open();
    const first = services.obtain("shop", at("http://a"));
    expect(services.obtain("shop", at("http://a"))).toBe(first);
    expect([made, services.list()]).toEqual([["shop"], [first]]);
    services.close();
  });

  test("gives another for another name, and for each option that differs", () => {
    const { services } = open();
    const base = at("http://a");
    const all = [
      services.obtain("shop", base),
      services.obtain("other", base),
      services.obtain("shop", at("http://b")),
      services.obtain("shop", { ...base, balancer: "least_request" }),
      services.obtain("shop", { ...base, maxConnections: 1 }),
      services.obtain("shop", { ...base, timeouts: { ...base.timeouts, idleMs: 1 } }),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(services.list()).toEqual(all);
    services.close();
  });

  test("closes a service with its last release, and not before", async () => {
    await using upstream = startAnswering(() => ok());
    const { services } = open();
    const service = services.obtain("shop", at(upstream.url));
    services.obtain("shop", at(upstream.url));
    await service.ready;
    await forward(service);
    services.release(service);
    expect(services.list()).toEqual([service]);
    expect(service.endpoints[0]?.pool.idleConnections).toBe(1);
    services.release(service);
    expect(services.list()).toEqual([]);
    expect(await (await upstream.connection(0)).peer.closing()).not.toBe("open");
  });

  test("makes a closed service anew when it is wanted again", () => {
    const { made, services } = open();
    const first = services.obtain("shop", at("http://a"));
    services.release(first);
    const second = services.obtain("shop", at("http://a"));
    expect(second).not.toBe(first);
    expect(made).toEqual(["shop", "shop"]);
    // One release too many of the old one takes nothing from the new one.
    services.release(first);
    expect(services.list()).toEqual([second]);
    services.close();
  });

  test("keeps a service's connections while a new user takes it from an old one", async () => {
    await using upstream = startAnswering(() => ok());
    const { services } = open();
    const old = services.obtain("shop", at(upstream.url));
    await old.ready;
    await forward(old);
    const next = services.obtain("shop", at(upstream.url));
    services.release(old);
    await forward(next);
    expect(upstream.connections).toHaveLength(1);
    services.close();
  });

  test("closes all services when it is closed", async () => {
    await using upstream = startAnswering(() => ok());
    const { services } = open();
    const service = services.obtain("shop", at(upstream.url));
    await service.ready;
    await forward(service);
    services.close();
    expect(services.list()).toEqual([]);
    expect(await (await upstream.connection(0)).peer.closing()).not.toBe("open");
  });
});
