import { describe, expect, test } from "bun:test";
import { createEndpoint, parseOrigin } from "../../src/service/endpoint.ts";
import { lazyTls } from "../../src/service/tls.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { serviceOptions, spec } from "./support.ts";

const deps = { wheel: new TimerWheel(), tls: lazyTls(serviceOptions()) };

describe("an endpoint's URL", () => {
  test.each([
    ["http://10.0.0.1:8080", { hostname: "10.0.0.1", port: 8080, isSecure: false }],
    ["http://shop.example.com", { hostname: "shop.example.com", port: 80, isSecure: false }],
    ["http://shop.example.com/", { hostname: "shop.example.com", port: 80, isSecure: false }],
    ["HTTP://Shop:81", { hostname: "shop", port: 81, isSecure: false }],
    ["http://[::1]:9000", { hostname: "::1", port: 9000, isSecure: false }],
    ["https://shop.example.com", { hostname: "shop.example.com", port: 443, isSecure: true }],
    ["https://[::1]:8443/", { hostname: "::1", port: 8443, isSecure: true }],
    ["https://shop.example.com/path", null],
    ["ftp://shop.example.com", null],
    ["http://shop.example.com/path", null],
    ["http://shop.example.com?query", null],
    ["http://shop.example.com#part", null],
    ["http://user@shop.example.com", null],
    ["http://", null],
    ["shop.example.com:80", null],
    ["http://shop:99999", null],
    ["", null],
  ])("%j leads to %j", (url, origin) => {
    expect(parseOrigin(url)).toEqual(origin);
  });

  test.each([
    ["ftp://shop", "http1"],
    ["http://shop", "h2"],
    ["https://shop", "h2c"],
  ] as const)("that leads nowhere makes no endpoint: %s for %s", (url, protocol) => {
    expect(createEndpoint(spec("a", url), serviceOptions({ protocol }), deps)).toBeNull();
  });

  test("makes an endpoint without a connection, named by host and port", () => {
    const endpoint = createEndpoint(spec("a", "http://[::1]:9000", 3), serviceOptions(), deps);
    expect(endpoint).toMatchObject({ id: "a", url: "http://[::1]:9000", weight: 3, authority: "[::1]:9000" });
    expect([endpoint?.pool.openConnections, endpoint?.pool.inFlight]).toEqual([0, 0]);
  });
});
