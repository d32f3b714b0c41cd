import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors.ts";
import { headerList } from "../../src/wire/header-list.ts";
import { OwnFields } from "../../src/wire/own-fields.ts";
import { refusalText } from "../../src/wire/problem.ts";
import { interimText } from "../../src/wire/response-text.ts";

const HSTS = new OwnFields([["Strict-Transport-Security", "max-age=60"]]);

describe("a listener's own fields", () => {
  test("take the place of an upstream's of the same name, in whatever case", () => {
    const headers = headerList([
      ["Upgrade", "websocket"],
      ["strict-transport-security", "max-age=0"],
      ["X-Other", "1"],
    ]);
    const text = interimText({ status: 101, reason: "Switching Protocols", headers }, HSTS);
    expect(text.split("\r\n").slice(1, 3)).toEqual(["X-Other: 1", "Strict-Transport-Security: max-age=60"]);
    expect(text).not.toContain("max-age=0");
  });

  test("stand in what refuses a request that could not be read", () => {
    const text = refusalText(new GatewayError("bad_request", "No."), { id: "1" }, HSTS);
    expect(text.split("\r\n\r\n")[0]).toContain("Strict-Transport-Security: max-age=60");
  });

  test("are refused when a value would end its line", () => {
    expect(() => new OwnFields([["A", "b\r\nC: d"]])).toThrow(TypeError);
  });

  test("leave out the same names for the same set, made once", () => {
    const dropped = new Set(["connection"]);
    expect([...HSTS.without(dropped)]).toEqual(["connection", "strict-transport-security"]);
    expect(HSTS.without(dropped)).toBe(HSTS.without(dropped));
  });
});
