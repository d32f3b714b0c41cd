import { describe, expect, test } from "bun:test";
import { createEndpoint, parseOrigin } from "../../src/service/endpoint.ts";
import { TimerWheel } from "../../src/wire/timer-wheel.ts";
import { serviceOptions, spec } from "./support.ts";

describe("an endpoint's URL", () => {
  test.each([
    ["http://10.0.0.1:8080", { hostname: "10.0.0.1", port: 8080 }],
    ["http://shop.example.com", { hostname: "shop.example.com", port: 80 }],
    ["http://shop.example.com/", { hostname: "shop.example.com", port: 80 }],
    ["HTTP://Shop:81", { hostname: "shop", port: 81 }],
    ["http://[::1]:9000", { hostname: "::1", port: 9000 }],
    ["https://shop.example.com", null],
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

  test("that leads nowhere makes no endpoint", () => {
    expect(createEndpoint(spec("a", "https://shop"), serviceOptions(), new TimerWheel())).toBeNull();
  });

  test("makes an endpoint without a connection, named by host and port", () => {
    const endpoint = createEndpoint(spec("a", "http://[::1]:9000", 3), serviceOptions(), new TimerWheel());
    expect(endpoint).toMatchObject({ id: "a", url: "http://[::1]:9000", weight: 3, authority: "[::1]:9000" });
    expect([endpoint?.pool.openConnections, endpoint?.pool.inFlight]).toEqual([0, 0]);
  });
});
