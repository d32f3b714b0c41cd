import { describe, expect, test } from "bun:test";
import { gatewayId } from "../../src/gateway/gateway-id.ts";

describe("a gateway's id", () => {
  test("is the same after a restart, and another one for each address, port and seat", () => {
    const id = (port: number, seat: number, address = "0.0.0.0") => gatewayId({ listeners: [{ address, port }], seat });
    expect(id(8080, 0)).toBe(id(8080, 0));
    expect(new Set([id(8080, 0), id(8081, 0), id(8080, 1), id(8080, 2)]).size).toBe(4);
    expect(id(8080, 0, "127.0.0.1")).not.toBe(id(8080, 0, "127.0.0.2"));
    expect(id(8080, 1)).toMatch(/^[\w-]{1,24}\.[0-9a-f]{12}\.1$/);
  });

  test("is a new one at each start where the system chooses the port", () => {
    const id = () => gatewayId({ listeners: [{ address: "0.0.0.0", port: 0 }], seat: 0 });
    expect(id()).not.toBe(id());
  });
});
